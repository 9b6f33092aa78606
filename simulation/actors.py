"""What people and AWS do in a world. Each action is a decision, and 0 is the plainest one."""

from dataclasses import dataclass, field
from functools import partial

from simulation.choices import Choices
from simulation.cloud import Cloud
from simulation.estate import (
    ACCOUNT,
    APPROVERS,
    AUDITOR,
    BOUNDS,
    DATA,
    EXPORTER,
    FILES,
    HOUR,
    PEOPLE,
    PROJECTS,
    BoundsDraft,
    FileDraft,
    FileKind,
    find_draft,
    role_arn,
)
from simulation.promises import Promises
from simulation.reality import GrantKey
from simulation.runners import Runners

WRITERS = ("AROSTEWARD:sam@example.org", APPROVERS[0])
JUMPS = (70.0, 70.0, 700.0, 3 * HOUR, 26 * HOUR)

FILES_CHANGE = ("fire_schedule", "write_policy", "write_policy", "change_policy", "change_policy")
EVERYTHING = (
    *FILES_CHANGE,
    "break_policy",
    "delete_policy",
    "write_bounds",
    "make_profile",
    "move_profile",
    "delete_profile",
    "upload_folder",
    "delete_folder",
    "make_foreign_grant",
    "delete_some_grant",
    "replace_some_grant",
    "run_apply",
    "run_plan",
    "approve",
    "approve",
    "reject",
    *("let_time_pass",) * 3,
)
# What people do in a world: anything, or only what goes together, which meets more often then.
MIXES = (
    EVERYTHING,
    EVERYTHING,
    (*FILES_CHANGE, "run_apply", "let_time_pass"),
    (*FILES_CHANGE, "let_time_pass", "let_time_pass", "delete_policy", "approve"),
    (
        "fire_schedule",
        "make_profile",
        "move_profile",
        "delete_profile",
        "write_policy",
        "run_apply",
    ),
    ("fire_schedule", "write_policy", "delete_some_grant", "replace_some_grant", "change_policy"),
    ("write_policy", "change_policy", "write_bounds", "approve", "reject", "approve", "run_apply"),
)


@dataclass
class Actors:
    """Everybody who acts in one world."""

    cloud: Cloud
    choices: Choices
    runners: Runners
    promises: Promises
    counts: dict[str, int] = field(default_factory=dict)
    mix: tuple[str, ...] = ()  # what people do

    def begin(self) -> None:
        """The account before anything happens: some profiles, folders and policy files; and what
        people do in this world.
        """
        self.mix = self.choices.pick(MIXES)
        for name in PEOPLE[: 2 + self.choices.draw(3)]:
            self._make_role(name, late=0)
            self.cloud.put_profile(name, role_arn(name))
        for name in PROJECTS[: self.choices.draw(3)]:
            self.cloud.put_data(f"projects/{name}/data.csv")
        for kind in FILES.values():
            if self.choices.draw(4) < 3:
                self.cloud.put_file(kind.key, kind.draw(self.choices).body)
        self.cloud.bring_schedule()

    def act(self) -> None:
        """Somebody does something."""
        name = self.choices.pick(self.mix)
        self.counts[name] = self.counts.get(name, 0) + 1
        self.cloud.notes(name.replace("_", " "))
        getattr(self, f"_{name}")()

    def _fire_schedule(self) -> None:
        self.cloud.bring_schedule()

    def _write_policy(self) -> None:
        kind = self._pick_kind()
        self._put(kind, kind.draw(self.choices))

    def _change_policy(self) -> None:
        """A file that is there is uploaded again, without one of its rules."""
        kind = self._pick_kind()
        body = self.cloud.reality.now.files.get(kind.key)
        draft = find_draft(body) if body else None
        if isinstance(draft, FileDraft) and draft.rules:
            gone = self.choices.pick(draft.rules)
            rules = tuple(rule for rule in draft.rules if rule != gone)
            self._put(kind, FileDraft(rules, draft.additive, draft.suspended))

    def _break_policy(self) -> None:
        kind = self._pick_kind()
        draft = kind.draw(self.choices)
        self._put(kind, FileDraft(draft.rules, draft.additive, draft.suspended, spoilt=True))

    def _delete_policy(self) -> None:
        kind = self._pick_kind()
        if kind.key in self.cloud.reality.now.files:
            self.cloud.delete_file(kind.key)
            self.cloud.bring_author_event("DeleteObject", kind.key, self.choices.pick(WRITERS))

    def _write_bounds(self) -> None:
        one = self.choices.draw(5)
        if one == 4:
            if BOUNDS in self.cloud.reality.now.files:
                self.cloud.delete_file(BOUNDS)
            return
        drafts = (
            BoundsDraft(),
            BoundsDraft(foreign=True),
            BoundsDraft(narrow=True),
            BoundsDraft(broken=True),
        )
        self.cloud.scheduler.advance(self.cloud.scheduler.now + 1)
        self.cloud.put_file(BOUNDS, drafts[one].body)

    def _make_profile(self) -> None:
        name = self.choices.pick(PEOPLE)
        if name not in self.cloud.reality.now.profiles:
            self._make_role(name, late=self.choices.pick((0.0, 5.0, 90.0)))
            self.cloud.put_profile(name, role_arn(name))

    def _move_profile(self) -> None:
        """A profile gets another role: a new one of its own, another's, or the domain's."""
        if names := sorted(self.cloud.reality.now.profiles):
            name = self.choices.pick(names)
            role = self.choices.pick((f"{name}-2", name, self.choices.pick(PEOPLE), ""))
            if role:
                self._make_role(role, late=0)
            self.cloud.put_profile(name, role_arn(role) if role else "")

    def _delete_profile(self) -> None:
        if names := sorted(self.cloud.reality.now.profiles):
            self.cloud.delete_profile(self.choices.pick(names))

    def _upload_folder(self) -> None:
        self.cloud.put_data(f"projects/{self.choices.pick(PROJECTS)}/data.csv")

    def _delete_folder(self) -> None:
        if names := sorted(self.cloud.reality.now.folders):
            self.cloud.delete_data(f"projects/{self.choices.pick(names)}/data.csv")

    def _make_foreign_grant(self) -> None:
        """Somebody else makes a grant in this instant, perhaps one that a rule wants, too."""
        who = self.choices.pick((AUDITOR, EXPORTER, role_arn("ana")))
        where = self.choices.pick(("docs/*", "e1/*", "Product/*", "other/*"))
        key = GrantKey(who, self.choices.pick(("READ", "WRITE")), f"s3://{DATA}/{where}")
        if grant_id := self.cloud.make_grant(key, where):
            self.promises.note_foreign_grant(grant_id, key)

    def _delete_some_grant(self) -> None:
        """Somebody deletes a grant by hand."""
        if ids := sorted(self.promises.mirror.grants):
            self._delete_by_hand(self.choices.pick(ids))

    def _delete_by_hand(self, grant_id: str) -> None:
        request = {"AccountId": ACCOUNT, "AccessGrantId": grant_id}
        self.cloud.grants.call("DeleteAccessGrant", request)
        self.promises.note_deletion(grant_id)

    def _replace_some_grant(self) -> None:
        """Somebody deletes a grant by hand, and makes the same one again as their own."""
        if ids := sorted(self.promises.mirror.grants):
            grant_id = self.choices.pick(ids)
            key = self.promises.mirror.grants[grant_id].key
            self._delete_by_hand(grant_id)
            where = key.scope.removeprefix(f"s3://{DATA}/")
            if made := self.cloud.make_grant(key, where):
                self.promises.note_foreign_grant(made, key)

    def _run_apply(self) -> None:
        self.runners.apply()

    def _run_plan(self) -> None:
        self.runners.plan()

    def _approve(self) -> None:
        self.approve(self.choices.pick(APPROVERS))

    def _reject(self) -> None:
        user = self.choices.pick(APPROVERS)
        self.runners.decide(user, approves=False, on_shown=self.promises.note_decision)

    def approve(self, user: str) -> None:
        """Somebody approves the first plan that waits."""
        self.runners.decide(user, approves=True, on_shown=self.promises.note_decision)

    def _let_time_pass(self) -> None:
        seconds = self.choices.pick(JUMPS)
        until = self.cloud.scheduler.now + seconds
        self.cloud.scheduler.call_at(until, partial(self.cloud.notes, "time has passed"))
        if not self.cloud.scheduler.list_runnable():
            self.cloud.scheduler.advance(until)

    def _pick_kind(self) -> FileKind:
        return FILES[self.choices.pick(tuple(FILES))]

    def _put(self, kind: FileKind, draft: FileDraft) -> None:
        # S3 lists times to the second, so equal files of one second look alike.
        self.cloud.scheduler.advance(self.cloud.scheduler.now + 1)
        self.cloud.put_file(kind.key, draft.body)
        self.cloud.bring_author_event("PutObject", kind.key, self.choices.pick(WRITERS))

    def _make_role(self, name: str, late: float) -> None:
        arn = role_arn(name)
        if arn not in self.cloud.roles.roles:
            self.cloud.roles.create_role(arn, late)
