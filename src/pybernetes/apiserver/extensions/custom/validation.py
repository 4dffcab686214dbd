"""Values against a schema, with the words of upstream's validator; what an update leaves as it was may stay wrong.

Errors name a field by the path within the validated value. What upstream cannot tie to a field (`anyOf` and the like)
has the field `<nil>`, as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pybernetes.api import codecs, fields
from pybernetes.apiserver.extensions.custom import formats, patterns
from pybernetes.apiserver.extensions.custom import schema as schemas

Errors = list[fields.FieldError]

NOWHERE = "<nil>"
_INT32, _INT64 = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
_MAX_FLOAT32 = 3.4028234663852886e38


class Old:
    """What a value was before an update, and by which schema its parts are matched with those of the new one."""

    __slots__ = ("_keyed", "schema", "value")

    def __init__(self, value: Any, schema: schemas.Schema) -> None:
        self.value = value
        self.schema = schema
        self._keyed: dict[bytes, Any] | None = None

    def member(self, name: str) -> Old | None:
        below = self.schema.member(name)
        if below is None or not isinstance(self.value, dict) or name not in self.value:
            return None
        return Old(self.value[name], below)

    def element(self, new: Any) -> Old | None:
        """Elements have a past only where keys tell them apart."""
        below = self.schema.items
        if self.schema.list_type != "map" or below is None or not isinstance(self.value, list):
            return None
        if self._keyed is None:
            self._keyed = {}
            for item in self.value:
                self._keyed.setdefault(self._key(item), item)
        found = self._keyed.get(self._key(new))
        return None if found is None else Old(found, below)

    def _key(self, item: Any) -> bytes:
        keys = self.schema.list_keys
        return codecs.encode([item.get(key) for key in keys] if isinstance(item, dict) else None)


class Result:
    """Errors, and how many checks have passed: of several failed alternatives the one that got furthest is told."""

    __slots__ = ("errors", "passed")

    def __init__(self, *errors: fields.FieldError) -> None:
        self.errors: dict[fields.FieldError, None] = dict.fromkeys(errors)
        self.passed = 0

    def merge(self, other: Result) -> None:
        self.errors.update(other.errors)
        self.passed += other.passed


def validate(value: Any, schema: schemas.Schema, *, old: Old | None = None, under: str = "") -> Errors:
    """Errors of the value; `under` is the field that it is the value of. With `old`, unchanged parts may be wrong."""
    found = _Validator(under).part(value, schema, "", old)
    return list(found.errors)


def same(left: Any, right: Any) -> bool:
    """Equal as trees: true is not 1."""
    return left is right or (left == right and codecs.encode(left) == codecs.encode(right))


class _Validator:
    def __init__(self, under: str) -> None:
        self._under = under

    def part(self, value: Any, schema: schemas.Schema, path: str, old: Old | None) -> Result:
        result = self.check(value, schema, path, old)
        if result.errors and old is not None and same(old.value, value):
            result.errors = {}
        return result

    def check(self, value: Any, schema: schemas.Schema, path: str, old: Old | None) -> Result:
        result = Result()
        typed = bool(schema.types) or "format" in schema.tree
        if value is None:
            if schema.types and not schema.nullable:
                result.merge(self._type_error(path, ",".join(schema.types), "null"))
            self._enum(value, schema.tree, path, result)
            return result
        if typed:
            result.merge(self._type(value, schema, path))
            result.passed += 1
        result.merge(self._combined(value, schema, path, old))
        if isinstance(value, str):
            result.merge(self._string(value, schema, path))
            result.passed += 2
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            result.merge(self._number(value, schema, path))
            result.passed += 1
        elif isinstance(value, list):
            result.merge(self._list(value, schema, path, old))
            result.passed += 1
        self._enum(value, schema.tree, path, result)
        if isinstance(value, dict):
            result.merge(self._object(value, schema, path, old))
            result.passed += 1
        result.passed += 3
        return result

    # -- what errors look like

    def _field(self, path: str) -> fields.Path:
        path = path.removeprefix(".")
        if not path:
            return fields.Path(self._under or NOWHERE)
        return fields.Path(f"{self._under}.{path}" if self._under else path)

    def _invalid(self, path: str, value: Any, words: str) -> Result:
        return Result(fields.invalid(self._field(path), value, f"{path} in body {words}"))

    def _unplaced(self, words: str) -> fields.FieldError:
        return fields.invalid(fields.Path(self._under or NOWHERE), "", words)

    def _type_error(self, path: str, wanted: str, got: Any) -> Result:
        shown = f": {codecs.encode(got).decode()}" if isinstance(got, str) else ""
        return Result(fields.type_invalid(self._field(path), got, f"{path} in body must be of type {wanted}{shown}"))

    # -- keywords

    def _type(self, value: Any, schema: schemas.Schema, path: str) -> Result:
        kind, fine = type_of(value), Result()
        fine.passed = 1
        types, form = schema.types, format_of(schema)
        holds = (
            kind in types
            or (kind == "integer" and "number" in types)
            or (kind == "number" and "integer" in types and float(value).is_integer())
        )
        is_text = isinstance(value, (str, list))
        numeric = "number" in types or "integer" in types
        if form and not is_text and not holds:
            return self._type_error(path, form, {"integer": "int64", "number": "float64"}.get(kind, ""))
        if form and is_text and not numeric:
            return fine
        if types and not holds:
            return self._type_error(path, ",".join(types), kind)
        return fine

    def _string(self, value: str, schema: schemas.Schema, path: str) -> Result:
        tree = schema.tree
        result = Result()
        longest, shortest, pattern = tree.get("maxLength"), tree.get("minLength"), tree.get("pattern")
        if longest is not None and len(value) > longest:
            result.merge(Result(fields.too_long(self._field(path), longest)))
        elif shortest is not None and len(value) < shortest:
            result.merge(self._invalid(path, value, f"should be at least {shortest} chars long"))
        elif pattern:
            try:
                matches = patterns.compiled(pattern)(value)
            except patterns.PatternError as error:
                words = f"should match '{pattern}, but pattern is invalid: {error}'"
                result.merge(self._invalid(path, value, words))
            else:
                if not matches:
                    result.merge(self._invalid(path, value, f"should match '{pattern}'"))
        form = format_of(schema)
        check = formats.CHECKS.get(form.replace("-", "")) if form else None
        if check is not None and not check(value):
            result.merge(self._type_error(path, form, value))
        return result

    def _number(self, value: int | float, schema: schemas.Schema, path: str) -> Result:
        result = Result()
        result.passed = 1
        form = format_of(schema)
        kind = schema.type if len(schema.types) == 1 else ""
        if kind == "integer" and not isinstance(value, float):
            low, high = _INT32 if form == "int32" else _INT64
            if not low <= value <= high:
                result.errors[self._out_of_range(kind, form, path)] = None
        elif kind == "number" and form == "float" and abs(value) > _MAX_FLOAT32:
            result.errors[self._out_of_range(kind, form, path)] = None
        tree = schema.tree
        factor, most, least = tree.get("multipleOf"), tree.get("maximum"), tree.get("minimum")
        whole = isinstance(value, int)
        if factor is not None:
            factor = int(factor) if whole and factor >= 1 else factor
            if factor <= 0:
                words = f"factor MultipleOf declared for {path} must be positive: {go_number(factor)}"
                result.merge(Result(fields.invalid(self._field(path), factor, words)))
            elif not is_multiple(value, factor):
                result.merge(self._invalid(path, value, f"should be a multiple of {go_number(factor)}"))
        if least is not None:
            result.merge(self._bound(value, int(least) if whole else least, tree, path, "greater", "exclusiveMinimum"))
        if most is not None:
            result.merge(self._bound(value, int(most) if whole else most, tree, path, "less", "exclusiveMaximum"))
        return result

    def _bound(
        self, value: int | float, limit: int | float, tree: Mapping[str, Any], path: str, side: str, keyword: str
    ) -> Result:
        exclusive = bool(tree.get(keyword))
        beyond = value < limit if side == "greater" else value > limit
        if not (beyond or (exclusive and value == limit)):
            return Result()
        words = f"should be {side} than {'' if exclusive else 'or equal to '}{go_number(limit)}"
        return self._invalid(path, value, words)

    def _out_of_range(self, kind: str, form: str, path: str) -> fields.FieldError:
        shown = f"{kind} with format {form}" if form else f"{kind} (default format)"
        return self._unplaced(f"Checked value must be of type {shown} in {path}")

    def _enum(self, value: Any, tree: Mapping[str, Any], path: str, result: Result) -> None:
        allowed = tree.get("enum")
        if not allowed or any(_equal(value, one) for one in allowed):
            return
        shown = ", ".join(
            codecs.encode(one if isinstance(one, str) else codecs.encode(one).decode()).decode() for one in allowed
        )
        error = fields.not_supported(self._field(path), value, ())
        result.errors[error._replace(message=f"{error.message}: supported values: {shown}")] = None

    def _list(self, value: list[Any], schema: schemas.Schema, path: str, old: Old | None) -> Result:
        result = Result()
        result.passed = 1
        if schema.items is not None:
            for at, item in enumerate(value):
                before = None if old is None else old.element(item)
                result.merge(self.part(item, schema.items, f"{path}[{at}]", before))
        tree = schema.tree
        fewest, most = tree.get("minItems"), tree.get("maxItems")
        if fewest is not None and len(value) < fewest:
            result.merge(self._invalid(path, len(value), f"should have at least {fewest} items"))
        if most is not None and len(value) > most:
            result.merge(Result(fields.too_many(self._field(path), len(value), most)))
        return result

    def _object(self, value: dict[str, Any], schema: schemas.Schema, path: str, old: Old | None) -> Result:
        result, tree = Result(), schema.tree
        fewest, most = tree.get("minProperties"), tree.get("maxProperties")
        if fewest is not None and len(value) < fewest:
            result.merge(self._invalid(path, len(value), f"should have at least {fewest} properties"))
        if most is not None and len(value) > most:
            result.merge(Result(fields.too_many(self._field(path), len(value), most)))
        for name, held in value.items():
            if name in schema.properties:
                continue
            if not schema.additional_allowed:
                words = f"{path}.{name} in body is a forbidden property"
                result.merge(Result(fields.invalid(self._field(path), name, words)))
            elif schema.additional is not None:
                result.merge(self._member(name, held, schema.additional, f"{path}.{name}", old))
        for name, below in schema.properties.items():
            if name in value:
                result.merge(self._member(name, value[name], below, schemas.joined(path, name), old))
        for name in tree.get("required", ()):
            if name not in value:
                result.merge(Result(fields.required(self._field(f"{path}.{name}"))))
        return result

    def _member(self, name: str, value: Any, schema: schemas.Schema, path: str, old: Old | None) -> Result:
        # What kind of object it is has no past: the old one has been converted.
        identity = not self._under and path in ("apiVersion", "kind")
        return self.part(value, schema, path, None if old is None or identity else old.member(name))

    def _combined(self, value: Any, schema: schemas.Schema, path: str, old: Old | None) -> Result:
        result, tree = Result(), schema.tree
        if tree.get("anyOf"):
            results = [self.check(value, inner, path, old) for inner in schema.any_of]
            fine = next((one for one in results if not one.errors), None)
            if fine is None:
                words = f'"{path}" must validate at least one schema (anyOf)'
                result.errors[self._unplaced(words)] = None
            result.merge(fine or max(results, key=lambda one: one.passed))
        if tree.get("oneOf"):
            results = [self.check(value, inner, path, old) for inner in schema.one_of]
            good = [one for one in results if not one.errors]
            if len(good) == 1:
                result.merge(good[0])
            else:
                found = f"Found {len(good)} valid alternatives" if good else "Found none valid"
                words = f'"{path}" must validate one and only one schema (oneOf). {found}'
                result.errors[self._unplaced(words)] = None
                if not good:
                    result.merge(max(results, key=lambda one: one.passed))
        if tree.get("allOf"):
            results = [self.check(value, inner, path, old) for inner in schema.all_of]
            for one in results:
                result.merge(one)
            failed = sum(bool(one.errors) for one in results)
            if failed:
                more = ". None validated" if failed == len(results) else ""
                result.errors[self._unplaced(f'"{path}" must validate all the schemas (allOf){more}')] = None
        if schema.not_ is not None and not self.check(value, schema.not_, path, old).errors:
            result.errors[self._unplaced(f'"{path}" must not validate the schema (not)')] = None
        result.passed += 1
        return result


def type_of(value: Any) -> str:
    """The name that schemas have for the type of a value."""
    if isinstance(value, bool):
        return "boolean"
    names: dict[type, str] = {
        str: "string",
        int: "integer",
        float: "number",
        list: "array",
        dict: "object",
        type(None): "null",
    }
    return names[type(value)]


def format_of(schema: schemas.Schema) -> str:
    """The format, where it means something for the type."""
    name: str = schema.tree.get("format", "")
    if not name:
        return ""
    return name if formats.recognised(name, schema.type if len(schema.types) == 1 else "") else ""


def is_multiple(value: int | float, factor: int | float) -> bool:
    if isinstance(value, int) and isinstance(factor, int):
        return value % factor == 0
    quotient = 1 / factor * value if factor < 1 else value / factor
    return abs(quotient - round(quotient)) <= 1e-9 * max(1.0, abs(quotient))


def go_number(value: int | float) -> str:
    """A number as Go's `%v` shows it."""
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return bool(left == right)
