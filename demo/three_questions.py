"""An auditor asks three questions; each answer has its reason."""

from harness.deployment import DOMAIN, INPUT_KEY, Deployment
from harness.session import SandboxSession
from harness.steps import expect, print_lines, step

USER_A, USER_B = f"{DOMAIN}/userA", f"{DOMAIN}/userB"


def show_questions(deployment: Deployment) -> None:
    """All steps. The auditor may read what Grantor reads, and change nothing."""
    own = f"s3://{deployment.data_bucket}/{INPUT_KEY}"
    product = f"s3://{deployment.data_bucket}/Product/*"
    with deployment.act_as_person("rita", "Reader") as auditor:
        with step("An auditor asks: may userA read the file, and why?"):
            lines = _ask(auditor, "can", USER_A, "READ", own)
            expect("the answer is yes", "yes: ", lines[0][:5])
        with step("May userB? Why not, and what would change it?"):
            lines = _ask(auditor, "can", USER_B, "READ", own, "--expect", "no")
            expect("the answer is no", "no: ", lines[0][:4])
            expect("because no rule gives it", "because: no rule gives it", lines[1])
            expect("a rule that would is ready to paste", True, "  - name: proposed" in lines)
        with step("Who reaches the Product folder?"):
            lines = _ask(auditor, "who", product)
            expect("both users, by one rule", f"2 grantees reach all of {product}", lines[0])


def _ask(auditor: SandboxSession, *words: str) -> list[str]:
    """Print a command and its answer; return the answer's lines."""
    print_lines(f"$ grantor {' '.join(words)}")
    answer = auditor.run_grantor(*words)
    print_lines(answer)
    return answer.splitlines()
