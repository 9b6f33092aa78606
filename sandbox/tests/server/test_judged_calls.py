"""Calls that are judged on the action and the resource that AWS has for them, and the age of a
queue's oldest message.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import make_user, unique_name
from sandbox.testing.running import ACCOUNT, Sandbox

REGION = "us-east-1"


def allow(action: str, resource: str) -> dict[str, Any]:
    return {"Action": action, "Resource": resource}


def make_alarm(server: Sandbox) -> str:
    name = unique_name("alarm")
    server.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    return name


def test_a_rule_of_the_default_bus_has_no_bus_in_its_arn(server: Sandbox):
    name = unique_name("rule")
    server.client("events").put_rule(Name=name, ScheduleExpression="rate(1 day)")
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"
    _, keys = make_user(server, allow("events:DescribeRule", arn))

    assert server.client("events", keys).describe_rule(Name=name)["Arn"] == arn


def test_describe_alarms_is_judged_on_each_alarm_that_it_names(server: Sandbox):
    mine, other = make_alarm(server), make_alarm(server)
    arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{mine}"
    _, keys = make_user(server, allow("cloudwatch:DescribeAlarms", arn))
    person = server.client("cloudwatch", keys)

    found = person.describe_alarms(AlarmNames=[mine])["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in found] == [mine]
    for names in ([other], [mine, other], [other, mine]):
        with pytest.raises(ClientError, match="not authorized"):
            person.describe_alarms(AlarmNames=names)
    with pytest.raises(ClientError, match="not authorized"):
        person.describe_alarms()


def test_a_queue_has_the_age_of_its_oldest_message_and_an_empty_one_has_none(server: Sandbox):
    sqs, names = server.client("sqs"), [unique_name("full"), unique_name("empty")]
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in names]
    sqs.send_message(QueueUrl=urls[0], MessageBody="first")
    time.sleep(1.1)
    sqs.send_message(QueueUrl=urls[0], MessageBody="second")
    now = datetime.now(UTC)
    answer = server.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {
                "Id": f"q{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/SQS",
                        "MetricName": "ApproximateAgeOfOldestMessage",
                        "Dimensions": [{"Name": "QueueName", "Value": name}],
                    },
                    "Period": 60,
                    "Stat": "Maximum",
                },
            }
            for number, name in enumerate(names)
        ],
        StartTime=now - timedelta(minutes=20),
        EndTime=now + timedelta(minutes=1),
    )
    full, empty = (one["Values"] for one in answer["MetricDataResults"])

    assert full[0] >= 1.1
    assert empty == []
