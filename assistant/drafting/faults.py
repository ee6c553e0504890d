"""Foreign errors of the model client, mapped to ours in one place."""

from __future__ import annotations

import json

from assistant.errors import (
    ModelAnswerInvalid,
    ModelContextTooLong,
    ModelError,
    ModelUnavailable,
    PayopsError,
)


class FormRefused(ModelAnswerInvalid):
    """The endpoint did not keep to the form it was asked for: another form may do."""


def foreign() -> tuple[type[Exception], ...]:
    """What langchain-openai, openai and their parsing raise. Bad shapes of an answer reach us as plain ValueError,
    KeyError, TypeError, AttributeError or IndexError: the libraries do not check what a server sends."""
    import httpx2
    import openai
    from langchain_core.exceptions import LangChainException

    shapes = (json.JSONDecodeError, ValueError, KeyError, TypeError, AttributeError, IndexError)
    return (openai.OpenAIError, LangChainException, httpx2.HTTPError, httpx2.StreamError, *shapes)


def mapped(error: BaseException) -> PayopsError:
    """Our error for theirs, without their text: it may quote the request."""
    import httpx2
    import openai
    from langchain_core import exceptions as lc

    if isinstance(error, PayopsError):
        return error
    if isinstance(error, lc.ContextOverflowError):
        return ModelContextTooLong("the prompt is too long for the model", mend="lower [model] context_tokens")
    if isinstance(error, openai.LengthFinishReasonError):
        return ModelAnswerInvalid("the model's answer was cut at its token limit")
    if isinstance(error, openai.ContentFilterFinishReasonError):
        return ModelAnswerInvalid("the provider's content filter stopped the answer")
    if isinstance(error, lc.ModelTimeoutError | openai.APITimeoutError | httpx2.TimeoutException):
        return ModelUnavailable("the model did not answer in time")
    if isinstance(error, lc.ModelRateLimitError | openai.RateLimitError):
        return ModelUnavailable("the model is rate-limited")
    if isinstance(error, lc.ModelAuthenticationError | lc.ModelPermissionDeniedError | openai.AuthenticationError):
        return ModelUnavailable("the model refused our key", mend="check [model] key_env or key_file")
    if isinstance(error, lc.ModelNotFoundError | openai.NotFoundError):
        return ModelUnavailable("the model's server knows no such model or path", mend="check [model] url and name")
    if isinstance(error, openai.APIResponseValidationError):
        return ModelAnswerInvalid("the model's server answered in another form")
    return _by_status(error)


def _by_status(error: BaseException) -> ModelError:
    import httpx2
    import openai

    status = getattr(error, "status_code", 0)
    if isinstance(error, openai.BadRequestError) or status in (400, 422):
        if "context" in str(getattr(error, "code", "") or "") or "context length" in str(error).lower():
            return ModelContextTooLong("the prompt is too long for the model", mend="lower [model] context_tokens")
        return FormRefused("the model's server did not take the request")
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        return ModelUnavailable("no connection to the model, or it was cut")
    if status >= 500:
        return ModelUnavailable(f"the model's server failed with {status}")
    return FormRefused("the model's answer cannot be read")
