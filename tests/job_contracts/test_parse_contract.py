"""A wrong contract is refused with all of its mistakes: where, what, and what to write instead."""

import pytest

from framework.descriptor import ContractError, Descriptor, read_json, read_yaml
from framework.parse_contract import parse_contract
from tests.abalone import CONTRACT
from tests.contracts import SHOP, SHOP_VALUES, change, parse


def faults(values):
    try:
        parse_contract(Descriptor("shop/contract.yaml", values))
    except ContractError as error:
        return str(error).splitlines()
    return []


def field(**more):
    return {"name": "x", "type": "number", **more}


def with_field(**more):
    return change(schema={"fields": [*SHOP_VALUES["schema"]["fields"], field(**more)]})


def with_own(**more):
    return change(grantor={**SHOP_VALUES["grantor"], **more})


AT = "shop/contract.yaml: "
WRONG = {
    "no mapping": ([], "this is [], not a mapping; write name: …, path: …, schema: …"),
    "no name": (change(name=None), "name: this is missing; write name: churn"),
    "a strange name": (change(name="A B"), 'name: "A B" is no name; use a-z, 0-9, ., _ and -'),
    "no path": (change(path=None), "path: this is missing; write path: churn.csv"),
    "a path with a folder": (change(path="a/b.csv"), 'path: "a/b.csv" has a folder'),
    "an unknown key": (change(titel="x"), 'titel: "titel" is not supported; write title'),
    "data in the contract": (change(data=[]), 'data: "data" is not supported; remove it'),
    "another standard": (
        change(**{"$schema": "https://example.com/x.json"}),
        '$schema: "https://example.com/x.json" is not supported; write "https://datapackage.org/',
    ),
    "another format": (
        change(format="xlsx"),
        'format: "xlsx" is not supported; write one of "csv", "jsonl", "ndjson", "parquet"',
    ),
    "another encoding": (change(encoding="latin-1"), 'encoding: "latin-1" is not supported'),
    "another compression": (change(compression="zip"), 'compression: "zip" is not supported'),
    "compressed Parquet": (
        change(format="parquet", dialect=None, compression="gz"),
        "compression: Parquet compresses its columns itself; remove it",
    ),
    "a dialect of JSON": (change(format="jsonl"), "dialect: jsonl has no dialect; remove it"),
    "an escape sign": (
        change(dialect={"escapeChar": "\\"}),
        'dialect.escapeChar: "escapeChar" is not supported',
    ),
    "another quote": (change(dialect={"quoteChar": "'"}), 'dialect.quoteChar: "\'" is not supp'),
    "no quote": (change(dialect={"quoteChar": ""}), 'dialect.quoteChar: "" is not supported'),
    "unquoted JSON": (
        change(format="jsonl", dialect=None, grantor={**SHOP_VALUES["grantor"], "quoted": False}),
        "grantor.quoted: jsonl has no quoted cells; remove it",
    ),
    "two delimiters": (change(dialect={"delimiter": "||"}), 'dialect.delimiter: "||" is not one'),
    "a letter as delimiter": (change(dialect={"delimiter": "x"}), 'dialect.delimiter: "x" is not'),
    "no schema": (change(schema=None), "schema: this is null, not a mapping"),
    "no fields": (change(schema={"fields": []}), "schema.fields: this is [], not a list with it"),
    "a primary key": (
        change(schema={**SHOP_VALUES["schema"], "primaryKey": "customer"}),
        'schema.primaryKey: "primaryKey" is not supported',
    ),
    "another type": (with_field(type="geopoint"), 'schema.fields[6].type: "geopoint" is not supp'),
    "another date": (
        with_field(type="date", format="%d.%m.%Y"),
        'schema.fields[6].format: "format" is not supp',
    ),
    "a unique column": (
        with_field(constraints={"unique": True}),
        'schema.fields[6].constraints.unique: "unique" is not supported',
    ),
    "a text as an end": (
        with_field(constraints={"minimum": "0"}),
        'minimum: this is "0"; write a number',
    ),
    "ends in the wrong order": (
        with_field(constraints={"minimum": 2, "maximum": 1}),
        "constraints: nothing lies from 2.0",
    ),
    "two lower ends": (
        with_field(constraints={"minimum": 0, "exclusiveMinimum": 0}),
        "constraints.exclusiveMinimum: minimum says the same; remove one",
    ),
    "no date": (
        with_field(type="date", constraints={"minimum": "2020-1-1"}),
        'constraints.minimum: "2020-1-1" is no date; write "2020-01-31"',
    ),
    "numbers in an enum": (
        with_field(type="string", constraints={"enum": [1, 2]}),
        'constraints.enum[0]: 1 is not a text; write "1" within quotation marks',
    ),
    "a value that is missing": (
        with_field(type="string", constraints={"enum": ["", "a"]}),
        'schema.fields[6]: "" is a value of x, and in missingValues',
    ),
    "a pattern with a look-ahead": (
        with_field(type="string", constraints={"pattern": "(?=a)b"}),
        'constraints.pattern: "(?=a)b" has a part that is not supported: (?=a)b',
    ),
    "a pattern of long values": (
        with_field(type="string", constraints={"pattern": "a+", "maxLength": 5000}),
        "constraints.maxLength: this is 5000; write a number from 0 to 1000",
    ),
    "a broken pattern": (
        with_field(type="string", constraints={"pattern": "(a"}),
        'constraints.pattern: "(a" is no regular expression',
    ),
    "truths of a number": (
        with_field(trueValues=["1"]),
        "schema.fields[6].trueValues: a number has no trueValues",
    ),
    "true and false": (
        with_field(type="boolean", trueValues=["1"], falseValues=["1"]),
        'schema.fields[6]: "1" is true and false',
    ),
    "a strange column": (with_field(name="a/b"), 'fields[6].name: "a/b" is no column\'s name'),
    "a column twice": (with_field(name="Plan"), "Plan differs from another column only in case"),
    "no own keys": (change(grantor=None), "grantor: this is missing; write gr"),
    "no version": (with_own(version=None), "grantor.version: this is missing"),
    "a version that is a number": (with_own(version=1), "grantor.version: this is 1, not a text"),
    "no label": (with_own(label=None), "grantor.label: this is missing"),
    "an unknown label": (
        with_own(label="lefft"),
        'grantor.label: there is no column "lefft"; write left',
    ),
    "a label that may be missing": (
        with_own(label="charge", features=["months"]),
        "grantor.label: charge may be missing, and a row without a label teaches nothing",
    ),
    "a date as label": (with_own(label="signup", features=["months"]), "signup is date; take a"),
    "no features": (with_own(features=[]), "grantor.features: this is [], not a list with items"),
    "a text as feature": (
        with_own(features=["customer"]),
        "grantor.features[0]: number needs a number or boolean, and customer is string",
    ),
    "the label as feature": (
        with_own(features=["left"]),
        "grantor.features[0]: left is the label: a feature of it gives the answer away",
    ),
    "a feature twice": (
        with_own(features=["months", "months"]),
        "grantor.features[1]: this feature is given twice",
    ),
    "an unknown feature": (with_own(features=[{"square": "months"}]), "is no feature; write a col"),
    "a log of what may be negative": (
        change(
            schema={"fields": [*SHOP_VALUES["schema"]["fields"], field()]},
            grantor={**SHOP_VALUES["grantor"], "features": [{"log": "x"}]},
        ),
        "log needs a number with a minimum of at least 0, and x is number",
    ),
    "a ratio of one": (with_own(features=[{"ratio": ["months"]}]), "ratio has 1 columns; write 2"),
    "an unknown baseline": (
        with_own(features=[{"one_hot": "plan", "baseline": "gold"}]),
        'grantor.features[0].baseline: "gold" is no value of plan; write one of basic, plus, pro',
    ),
    "a text for what is missing": (
        with_own(features=[{"number": "charge", "missing": "none"}]),
        'grantor.features[0].missing: "none" is no number; write missing: 0',
    ),
    "a share above 1": (
        with_own(split={"train": 80}),
        "grantor.split.train: this is 80; write a number from 0 to 1",
    ),
    "bins of no number": (with_own(bins={"plan": {}}), 'grantor.bins.plan: "plan" is not supp'),
    "bins that go down": (
        with_own(bins={"months": {"from": 2, "to": 1}}),
        "grantor.bins.months: the bins do not go",
    ),
    "an unknown threshold": (
        with_own(drift={"meen": 1}),
        'grantor.drift.meen: "meen" is not supported; write mean',
    ),
    "a unit of no column": (with_own(units={"size": "m"}), 'grantor.units.size: "size" is not'),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_contract_is_refused_with_place_cause_and_remedy(case):
    values, why = WRONG[case]

    found = faults(values)

    assert any(line.startswith(AT) and why in line for line in found), found
    assert all(";" in line for line in found)


def test_all_mistakes_are_reported_at_once():
    found = faults(change(name="A B", path=None, format="xlsx", titel="x"))

    assert len(found) == 4


def test_the_contracts_of_the_tests_are_right():
    assert faults(SHOP_VALUES) == []
    assert parse(has_script=True, grantor={"version": "1"}).features == ()
    assert SHOP.names == ("customer", "plan", "months", "charge", "signup", "left")


def test_a_mistake_in_yaml_has_line_and_column():
    text = "name: shop\npath: shop.csv\nschema:\n  fields:\n    - {name: x, type: numbr}\n"

    with pytest.raises(ContractError) as refused:
        parse_contract(read_yaml("shop/contract.yaml", text))

    assert str(refused.value).splitlines() == [
        'shop/contract.yaml:1:1: grantor: this is missing; write grantor: {version: "1", label: …}',
        (
            'shop/contract.yaml:5:17: schema.fields[0].type: "numbr" is not supported; write one '
            'of "string", "boolean", "number", "integer", "date", "datetime"'
        ),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "c.yaml:1:5: this is not valid YAML: "),
        ("a: 1\na: 2", "c.yaml:2:1: a: this key is given twice; remove one"),
        ("a: \x00", "c.yaml: this is not valid YAML: "),
    ],
    ids=["no end", "a key twice", "a zero byte"],
)
def test_what_is_no_yaml_is_refused(text, why):
    with pytest.raises(ContractError) as refused:
        read_yaml("c.yaml", text)

    assert str(refused.value).startswith(why)


def test_what_is_no_json_is_refused():
    with pytest.raises(ContractError, match="this is not valid JSON"):
        read_json("c.json", "{")


def test_yaml_is_read_as_json_would_be():
    assert read_yaml("c.yaml", "a: 2020-01-01\nb: yes\nc: true\nd: 1").values == {
        "a": "2020-01-01", "b": "yes", "c": True, "d": 1,
    }  # fmt: skip


def test_abalone_is_a_contract_of_few_lines():
    assert len(CONTRACT.columns) == 9
    assert [feature.kind for feature in CONTRACT.features] == ["one_hot", *["number"] * 7]
    assert CONTRACT.find_column("sex").format_fault == "sex not M, F or I"
    assert CONTRACT.version == "2", "part of the id of each run"
