"""The gap: MiniStack 1.5.33 fails at a key that YAML reads as a number (`200:` below `responses:` of an API's document),
in a template and in what `AWS::Include` brings: `'int' object has no attribute 'startswith'`.

A key of a template is always a text, as it is written.
"""

from ministack.services.cloudformation import engine
from yaml.nodes import MappingNode, ScalarNode

TEXT = "tag:yaml.org,2002:str"

construct_mapping = engine.CfnLoader.construct_mapping
parse_snippet = engine._parse_snippet


def construct_with_text_keys(loader, node, deep=False):
    if isinstance(node, MappingNode):
        loader.flatten_mapping(node)  # `<<` is a key that must keep its meaning
        for key, _ in node.value:
            if isinstance(key, ScalarNode):
                key.tag = TEXT
    return construct_mapping(loader, node, deep)


def with_text_keys(value):
    if isinstance(value, list):
        return [with_text_keys(item) for item in value]
    if isinstance(value, dict):
        return {str(key): with_text_keys(item) for key, item in value.items()}
    return value


engine.CfnLoader.construct_mapping = construct_with_text_keys
engine._parse_snippet = lambda text: with_text_keys(parse_snippet(text))
