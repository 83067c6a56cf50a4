"""What the tools answer; the SDK makes the schemas that clients see out of these."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Seen(BaseModel):
    """One thing that doctor or lint has seen."""

    place: str = Field(description="what was looked at, or file and line")
    level: str = Field(description="ok, warning or error")
    code: str | None = Field(description="the cause, for `guidance` and the guides")
    sentence: str
    hint: str = Field(description="what to do next; empty where nothing is to be done")


class Diagnosis(BaseModel):
    """A project, looked at."""

    project: str = Field(description="the folder")
    online: bool = Field(description="whether AWS and the indexes were asked")
    well: bool = Field(description="whether there is no error, as far as was looked")
    doctor: list[Seen] = Field(description="programs, AWS, sources, packages")
    lint: list[Seen] = Field(description="Pipfile and locks")
    diff: str = Field(description="what `pipenv-ca fix` would change, with secrets masked")
    incomplete: list[str] = Field(description="what could not be looked at, and why")
    next_step: str


class Cause(BaseModel):
    """One cause of a failure."""

    code: str
    explanation: str
    next_step: str
    guide: str = Field(description="the topic of `guidance` that says more")


class Explanation(BaseModel):
    """What an error text means."""

    certain: bool = Field(description="whether the text says which cause it is")
    summary: str
    causes: list[Cause] = Field(description="the cause, or those that are possible")
    next_step: str


class Guidance(BaseModel):
    """A guide, or what the guides say of one code."""

    topic: str
    title: str
    text: str = Field(description="Markdown")
    topics: list[str] = Field(description="all topics that there are")
