"""The gap: MiniStack 1.5.33 keeps nothing of the expressions of an alarm, and refuses a template that has one.

An alarm of the API or of CloudFormation may name metrics and compute with them (User Guide, "Using math expressions with
CloudWatch metrics"). What is computed here is what alarms on errors and latencies need: `+ - * / ^`, comparisons, AND, OR,
NOT, and the functions below. Anything else is refused by name when the alarm is put, so that no alarm is quiet because
nobody can compute it.
"""

import ast
import math
import re

from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

from . import alarm_states

single_metric_values, single_metric_period = alarm_states.values, alarm_states.period_of
put_metric_alarm, record_of_template = cloudwatch._put_metric_alarm, provisioners._cw_metric_alarm_record

OPERATORS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b if b else None,  # no data point where the divisor is 0
    ast.Pow: lambda a, b: a**b,
    ast.Eq: lambda a, b: float(a == b),
    ast.NotEq: lambda a, b: float(a != b),
    ast.Lt: lambda a, b: float(a < b),
    ast.LtE: lambda a, b: float(a <= b),
    ast.Gt: lambda a, b: float(a > b),
    ast.GtE: lambda a, b: float(a >= b),
    ast.And: lambda a, b: float(bool(a) and bool(b)),
    ast.Or: lambda a, b: float(bool(a) or bool(b)),
}
POINTWISE = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
OVER = {"SUM": sum, "MIN": min, "MAX": max, "AVG": lambda values: sum(values) / len(values)}
FUNCTIONS = ("FILL", "IF", "METRICS", *POINTWISE, *OVER)
WORDS = (("AND", "and"), ("&&", " and "), ("OR", "or"), (r"\|\|", " or "), ("NOT", "not"), (r"\^", "**"))


class Refused(Exception):
    pass


def parsed(expression):
    """The expression as Python reads it, whose grammar is the same but for some words."""
    text = expression
    for word, ours in WORDS:
        text = re.sub(rf"\b{word}\b" if word.isalpha() else word, ours, text)
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        raise Refused(f"the local AWS cannot read the expression `{expression}`") from None


class Computation:
    """An alarm's expression over its last periods: a number, a series of numbers with `None` for missing, or a list of
    series."""

    def __init__(self, queries, series_of):
        self.queries = {query["Id"]: query for query in queries}
        self.series_of = series_of

    def of(self, query_id, below=()):
        query = self.queries.get(query_id)
        if query is None:
            raise Refused(f"there is no metric with the Id `{query_id}`")
        if query_id in below:
            raise Refused(f"the expression `{query_id}` needs itself")
        if not query.get("Expression"):
            return self.series_of(query)
        self.below = (*below, query_id)
        return self.value(parsed(query["Expression"]))

    def value(self, node):
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float, str)):
            return node.value
        if isinstance(node, ast.Name):
            below = self.below
            found = self.of(node.id, below)
            self.below = below
            return found
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self.value(item) for item in node.elts]
        if isinstance(node, ast.UnaryOp):
            change = {ast.USub: lambda a: -a, ast.UAdd: lambda a: a, ast.Not: lambda a: float(not a)}.get(type(node.op))
            return pointwise(change, self.value(node.operand)) if change else self.refuse(node)
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return pointwise(OPERATORS[type(node.op)], self.value(node.left), self.value(node.right))
        if isinstance(node, ast.BoolOp):
            first, *others = [self.value(value) for value in node.values]
            for other in others:
                first = pointwise(OPERATORS[type(node.op)], first, other)
            return first
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in OPERATORS:
            return pointwise(OPERATORS[type(node.ops[0])], self.value(node.left), self.value(node.comparators[0]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self.call(node.func.id, node.args)
        return self.refuse(node)

    def call(self, name, arguments):
        if name == "METRICS":
            part = self.value(arguments[0]) if arguments else ""
            return [self.series_of(query) for query in self.queries.values() if not query.get("Expression") and part in query["Id"]]
        if name == "FILL" and len(arguments) == 2:
            how = arguments[1]
            by = how.id if isinstance(how, ast.Name) and how.id in ("REPEAT", "LINEAR") else None
            return over_series(lambda one: filled(one, by or self.value(how)), self.value(arguments[0]))
        if name == "IF" and len(arguments) in (2, 3):
            values = [self.value(argument) for argument in arguments]
            return chosen(*values)
        if name in POINTWISE and len(arguments) == 1:
            return pointwise(POINTWISE[name], self.value(arguments[0]))
        if name in OVER and len(arguments) == 1:
            return summed(OVER[name], self.value(arguments[0]))
        known = ", ".join(sorted(FUNCTIONS))
        raise Refused(f"the local AWS cannot compute `{name}` with {len(arguments)} arguments in an alarm; it can: {known}")

    def refuse(self, node):
        raise Refused(f"the local AWS cannot compute `{ast.unparse(node)}` in an alarm")


def is_series(value):
    return isinstance(value, list) and not any(isinstance(item, list) for item in value)


def over_series(function, value):
    return function(value) if is_series(value) else [function(one) for one in value]


def pointwise(function, *values):
    """Over numbers, series and lists of series; what is missing in one is missing in the result."""
    if any(isinstance(value, str) for value in values):
        raise Refused("the local AWS cannot compute with a text in an alarm")
    longest = max((value for value in values if isinstance(value, list)), key=depth, default=None)
    if longest is None:
        return None if any(value is None for value in values) else function(*values)
    parts = [value if isinstance(value, list) and depth(value) == depth(longest) else [value] * len(longest) for value in values]
    return [pointwise(function, *items) for items in zip(*parts)]


def depth(value):
    return 1 + max((depth(item) for item in value), default=0) if isinstance(value, list) else 0


def chosen(condition, yes, no=None):
    """`IF`: where the condition is missing, so is the result."""
    length = max((len(value) for value in (condition, yes, no) if isinstance(value, list)), default=None)
    if length is None:
        return yes if condition else no
    parts = [value if isinstance(value, list) else [value] * length for value in (condition, yes, no)]
    return [None if met is None else (this if met else that) for met, this, that in zip(*parts)]


def summed(function, value):
    """Over a series, one number; over a list of series, a series of what is there in each period."""
    if not isinstance(value, list):
        return value
    if is_series(value):
        known = [item for item in value if item is not None]
        return function(known) if known else None
    return [summed(function, list(items)) for items in zip(*value)]


def filled(series, by):
    if isinstance(by, list):
        return [other if value is None else value for value, other in zip(series, by)]
    if by == "REPEAT":
        last, result = None, []
        for value in series:
            last = value if value is not None else last
            result.append(last)
        return result
    if by == "LINEAR":
        return [value if value is not None else between(series, index) for index, value in enumerate(series)]
    return [by if value is None else value for value in series]


def between(series, index):
    before = next((at for at in range(index, -1, -1) if series[at] is not None), None)
    after = next((at for at in range(index, len(series)) if series[at] is not None), None)
    if before is None or after is None:
        return None
    share = (index - before) / (after - before)
    return series[before] + share * (series[after] - series[before])


def returned(queries):
    """The one query whose values the alarm is about."""
    found = [query for query in queries if query.get("ReturnData", True)]
    if len(found) != 1:
        raise Refused(f"exactly one of an alarm's Metrics must have ReturnData true, not {len(found)}")
    return found[0]


def math_period(alarm):
    queries = alarm.get("Metrics")
    if not queries:
        return single_metric_period(alarm)
    return next((query["MetricStat"]["Period"] for query in queries if query.get("MetricStat")), 60)


def math_values(alarm, now, count):
    queries = alarm.get("Metrics")
    if not queries:
        return single_metric_values(alarm, now, count)
    return computed(queries, lambda query: series_of(query["MetricStat"], now, count), count)


def series_of(stat, now, count):
    return alarm_states.series(stat["Metric"], stat["Stat"], stat["Period"], now, count, stat.get("Unit"))


def computed(queries, series_of_query, count):
    value = Computation(queries, series_of_query).of(returned(queries)["Id"])
    if not isinstance(value, list):
        return [value] * count
    if not is_series(value):
        raise Refused("an alarm's expression must give one series, not several")
    return value


def with_plain_types(queries):
    """What a template may have as texts."""
    plain = []
    for query in queries:
        query = {**query, "ReturnData": str(query.get("ReturnData", True)).lower() == "true"}
        if query.get("MetricStat"):
            query["MetricStat"] = {**query["MetricStat"], "Period": int(query["MetricStat"].get("Period", 60))}
        plain.append(query)
    return plain


def check(alarm, queries):
    """Refuses what cannot be computed later, by computing it with data that has a gap."""
    if alarm.get("ThresholdMetricId") or alarm.get("ComparisonOperator") not in alarm_states.COMPARISONS:
        raise Refused("the local AWS has no anomaly detection: give the alarm a threshold")
    if alarm.get("Threshold") is None:
        raise Refused("an alarm on Metrics needs a Threshold")
    periods = {query["MetricStat"]["Period"] for query in queries if query.get("MetricStat")}
    if len(periods) > 1:
        raise Refused("the local AWS computes only with metrics of one and the same Period in an alarm")
    if any(query.get("AccountId") for query in queries):
        raise Refused("the local AWS has no metrics of other accounts for an alarm")
    computed(queries, lambda _query: [1.0, None, 2.0], 3)


def put_with_metrics(params, cbor_data, is_cbor, is_json=False):
    queries = (cbor_data or {}).get("Metrics")
    if not queries and not any(key.startswith("Metrics.member.") for key in params):
        return put_metric_alarm(params, cbor_data, is_cbor, is_json)
    try:
        if not queries:
            raise Refused("the local AWS reads an alarm's Metrics only from an SDK that speaks CBOR or JSON")
        queries = with_plain_types(queries)
        check(cbor_data, queries)
    except Refused as why:
        return cloudwatch._error("ValidationError", str(why), 400, use_json=is_json, use_cbor=is_cbor)
    with alarm_states.evaluating:  # not to be looked at before it is complete
        unmeasured = {**cbor_data, "ComparisonOperator": None}
        answer = put_metric_alarm(params, unmeasured, is_cbor, is_json)
        if answer[0] == 200:
            alarm = cloudwatch._alarms[cbor_data["AlarmName"]]
            complete(alarm, queries, cbor_data["ComparisonOperator"])
            cloudwatch._evaluate_alarm(alarm)
    return answer


def complete(alarm, queries, comparison):
    for member in ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit"):
        alarm.pop(member, None)
    alarm.update(Metrics=queries, ComparisonOperator=comparison)


def record_with_metrics(name, properties):
    if not properties.get("Metrics"):
        return record_of_template(name, properties)
    queries = with_plain_types(properties["Metrics"])
    try:
        check(properties, queries)
    except Refused as why:
        raise ValueError(f"AWS::CloudWatch::Alarm {name}: {why}") from None
    plain = {key: value for key, value in properties.items() if key != "Metrics"}
    alarm = record_of_template(name, {**plain, "MetricName": "of Metrics", "Namespace": "of Metrics"})
    complete(alarm, queries, properties["ComparisonOperator"])
    return alarm


alarm_states.values, alarm_states.period_of = math_values, math_period
cloudwatch._put_metric_alarm = put_with_metrics
provisioners._cw_metric_alarm_record = record_with_metrics
