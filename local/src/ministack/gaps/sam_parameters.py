"""The gap: MiniStack 1.5.33 gives the SAM transform no values of the template's parameters, so that it takes their defaults.

The transform needs some of them itself: of `AutoPublishAlias: !Ref Alias` it makes an alias with that name, which was that of
the default whatever the request said.
"""

from contextvars import ContextVar

from ministack.services.cloudformation import changesets, engine, handlers

apply_transforms = engine._apply_transforms
values = ContextVar("the values of the parameters of the template that is being transformed", default={})
patched = []


def with_values():
    """The translator is loaded by the first SAM template only: it takes a second."""
    if patched:
        return
    from samtranslator.translator import transform

    translate = transform.transform
    transform.transform = lambda template, _none, loader: translate(template, values.get(), loader)
    patched.append(True)


def apply(template, provided=None, previous=None):
    if engine._SAM_TRANSFORM not in engine.declared_transforms(template):
        return apply_transforms(template, provided, previous)
    with_values()
    token = values.set(engine._transform_parameters(template, provided, previous))
    try:
        return apply_transforms(template, provided, previous)
    finally:
        values.reset(token)


for module in (engine, handlers, changesets):
    module._apply_transforms = apply
