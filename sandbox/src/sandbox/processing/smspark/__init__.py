"""The `smspark-submit` of SageMaker's Spark images, as a program of its own.

It has the same options, the same configuration and the same messages at the end. It runs inside a
container of the sandbox, on the Spark of its interpreter, with the standard library only.

Source of the behaviour: aws/sagemaker-spark-container, src/smspark: cli.py, job.py, config.py,
errors.py, bootstrapper.py, spark_event_logs_publisher.py, as of the images 3.5-cpu-py312.
"""
