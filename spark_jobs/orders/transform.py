"""What each customer has ordered: how often, how much, when for the last time, and where mostly."""

from pyspark.sql import DataFrame, functions

from framework.script_engine import ScriptContext


def transform(df: DataFrame, context: ScriptContext) -> DataFrame:
    """Return one row for each customer with at least `min_orders` orders."""
    customers = df.groupBy("customer_id").agg(
        functions.count("*").alias("orders"),
        functions.round(functions.sum("amount"), 2).alias("amount"),
        functions.max("ordered").alias("last_ordered"),
        functions.count(functions.when(functions.col("channel") == "web", 1)).alias("web_orders"),
    )
    return customers.where(functions.col("orders") >= context.parameters["min_orders"])
