"""Mutants of how the product works: applying, reading, the lease, the table, the adapters."""

from simulation.mutant import Mutant

APPLY = "reconcile/apply.py"
HISTORY = "reconcile/record_history.py"
LEASE_RUN = "reconcile/lease.py"
RUN = "reconcile/run.py"
READ = "reconcile/read.py"
POLICIES = "reconcile/policies.py"
LEASE = "aws/lease.py"
TABLE = "aws/dynamodb.py"
GRANTS = "aws/access_grants.py"
FILES = "aws/s3.py"
STUDIO = "aws/studio.py"
EXTERNAL_DNS = "external-dns #3997, #3841"
SSOSYNC = "ssosync #236, #159, #194"

WRONG_RUNS = (
    # Applying
    Mutant(
        "a grant is made before it is recorded",
        APPLY,
        "        self.ledger.write_intent(intents, self.count(Plan(create=tuple(changes))))\n"
        "        self.ledger.flush()\n",
        "        self.ledger.write_intent(intents, self.count(Plan(create=tuple(changes))))\n",
        "ldap2pg #422",
    ),
    Mutant(
        "a grant is deleted before it is marked",
        APPLY,
        "self.ledger.mark_leaving(marked, self.count(Plan(delete=plan.delete)))",
        "self.count(Plan(delete=plan.delete))",
        "ldap2pg #422",
    ),
    Mutant(
        "old grants go before their replacements are there",
        APPLY,
        "if one.suspended_by or one.grant in again]",
        "if True]",
    ),
    Mutant(
        "a delete does not wait for a replacement that failed",
        APPLY,
        "(grant for grant in self.not_created if grant.overlaps(change.grant)), None",
        "(grant for grant in () if grant.overlaps(change.grant)), None",
    ),
    Mutant(
        "a failed delete is forgotten",
        APPLY,
        "change.grant for change in self._while_time(batch) if self._delete_grant(change)",
        "change.grant for change in self._while_time(batch) if self._delete_grant(change) or True",
        "ldap2pg #422",
    ),
    Mutant(
        "somebody else's equal grant becomes ours",
        APPLY,
        "if existing.owner == self.grants.stack:",
        "if True:",
        "ssosync #105, #179",
    ),
    Mutant(
        "a run goes on after its lease",
        APPLY,
        "self.report.cut_short = self.report.cut_short or not self.go_on()",
        "self.report.cut_short = False",
    ),
    Mutant(
        "what a run made after it lost the lease stays",
        APPLY,
        "            self._undo_creates(created)\n            raise",
        "            raise",
        "ldap2pg #422",
    ),
    Mutant(
        "a part of the profiles passes for all of them",
        APPLY,
        "if snapshot.is_complete and not (judged.causes or history.failure):",
        "if True:",
        SSOSYNC,
    ),
    # Reading
    Mutant(
        "a grant that no list shows is forgotten",
        READ,
        "if unlisted and grants.read_tags(entry.id) is not None:",
        "if False:",
        "ldap2pg #422",
    ),
    Mutant(
        "whose a doubtful grant is, is not asked",
        READ,
        "elif tags.get(OWNER) == grants.stack:",
        "elif True:",
        "ssosync #105, #179",
    ),
    Mutant(
        "a domain that cannot be read counts as empty",
        STUDIO,
        'unread[f"domain {name}"] = str(error)',
        'unread[f"no domain {name}"] = str(error)',
        EXTERNAL_DNS,
    ),
    Mutant(
        "folders that cannot be read count as none",
        READ,
        'unread[f"folders {base}"] = str(error)',
        "pass",
        EXTERNAL_DNS,
    ),
    Mutant(
        "a file that the list lacks counts as deleted",
        POLICIES,
        "if is_deleted:",
        "if is_deleted is not True or is_deleted:",
        EXTERNAL_DNS,
    ),
    Mutant(
        "a broken file takes its rules away",
        POLICIES,
        "        self.problems += problems\n        self.read_accepted(key)",
        "        self.problems += problems\n        self.modes[key] = Mode.AUTHORITATIVE",
        "external-dns #3997, #3841",
    ),
    Mutant(
        "a deletion is never believed",
        FILES,
        'and error_code(error) != "NoSuchBucket":',
        'and error_code(error) == "NoSuchBucket":',
        "finding 6: grants outlive their file",
    ),
    # The lease
    Mutant(
        "an expired lease is free for nobody",
        LEASE,
        "return not self.holder or self.expires <= now",
        "return not self.holder",
    ),
    Mutant(
        "a lease that is held is free",
        LEASE,
        "return not self.holder or self.expires <= now",
        "return True",
    ),
    Mutant(
        "triggers that came meanwhile are dropped",
        LEASE,
        "lambda state: state if state.check_holder(lease).pending else state.release_lease({})",
        "lambda state: state.check_holder(lease).release_lease({})",
        "TEAM #149, #255, #419",
    ),
    Mutant(
        "the subjects of a dead run are lost",
        LEASE,
        "current = merge_subjects(state.current, state.pending, subjects)\n            held",
        "current = merge_subjects(state.pending, subjects)\n            held",
        "TEAM #149, #255, #419",
    ),
    Mutant(
        "who holds the lease is not compared",
        LEASE,
        "if (self.token, self.holder) != (lease.token, lease.holder):",
        "if False:",
    ),
    Mutant(
        "a new policy is not for everybody if its run dies",
        RUN,
        "self.services.lease_store.add_subjects(self.lease, {EVERYTHING: None})",
        "pass",
        "ldap2pg #674",
    ),
    Mutant(
        "a run does not notice that its lease has expired",
        LEASE_RUN,
        "expires = lease.expires\n",
        'expires = float("inf")\n',
    ),
    # The table
    Mutant(
        "the ledger is written without the lease",
        TABLE,
        'self._send_transaction(write, [{"ConditionCheck": check}, *batch])',
        "self._send_transaction(write, batch)",
    ),
    Mutant(
        "the lease is written over whatever is there",
        TABLE,
        'ConditionExpression="attribute_not_exists(rev) OR rev = :seen"',
        'ConditionExpression="attribute_not_exists(rev) OR rev <> :seen OR rev = :seen"',
    ),
    Mutant(
        "a conflicting transaction counts as written",
        TABLE,
        "                _raise_unless_conflict(error)\n            sleep_before_retry(attempt)",
        "                _raise_unless_conflict(error)\n            return None",
    ),
    Mutant(
        "only the last of joined writes is kept",
        TABLE,
        "return list({_find_key(action): action for action in actions}.values())",
        "return list({_find_key(action)[0]: action for action in actions}.values())",
    ),
    Mutant(
        "the first page of the table passes for all",
        TABLE,
        '            yield from map(decode_item, page["Items"])',
        '            yield from map(decode_item, page["Items"])\n            return',
        SSOSYNC,
    ),
    # Access Grants and the history
    Mutant(
        "the first page of grants passes for all",
        GRANTS,
        'if not (token := page.get("NextToken")):',
        "if True:",
        SSOSYNC,
    ),
    Mutant(
        "a refused delete counts as done",
        GRANTS,
        'if error_code(error) == "NoSuchAccessGrantError":\n                return\n',
        "if True:\n                return\n",
    ),
    Mutant(
        "our grants carry no tag",
        GRANTS,
        '"Tags": self._own_tags(tags),\n        }',
        '"Tags": format_tags(tags),\n        }',
        "ldap2pg #422",
    ),
    Mutant(
        "a throttled call fails for good",
        "aws/clients.py",
        "if error_code(error) not in TRANSIENT_CODES:",
        "if error_code(error) not in set():",
        "terraform #7388, #31094",
    ),
    Mutant(
        "the ledger confirms what the history lacks",
        HISTORY,
        "            self.failure = error\n            return False",
        "            self.failure = error\n            return True",
    ),
)
