"""JSON Schemas (draft 2020-12) of the models, with defaults as people would write them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from autoscaler.yamlfile import quantities

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Generator(GenerateJsonSchema):
    schema_dialect = DIALECT

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return quantities.write_duration(dft)
        if isinstance(dft, Decimal):  # a ratio: the only kind of decimal with a default
            return quantities.write_ratio(dft)
        if isinstance(dft, BaseModel):
            return dft.model_dump(mode="json", by_alias=True)
        return super().encode_default(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema  # the key itself is title enough
        return False


def generate(model: type[BaseModel], *, title: str) -> dict[str, Any]:
    """The schema of what a file may hold."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    return {"$schema": DIALECT, "title": title, **{key: value for key, value in schema.items() if key != "title"}}
