"""The one error tree. Every class carries a stable ``code`` and says whether trying again can help.

OrchestratorError
├── RequestError                a start, query or message whose shape is wrong
│   └── MigrationError          a run does not fit the definition it should go on with
├── DefinitionError             a definition that breaks rules (carries every issue)
├── DefinitionNotFoundError
├── InputError                  inputs that fail the definition's schema
├── ExpressionError
│   ├── ExpressionSyntaxError
│   └── ExpressionBudgetError
├── TemplateError
├── LimitError                  a bound of the definition or the platform was reached
│   └── TooLargeError
├── MessageError                a message that cannot be used
│   ├── NothingAwaitedError
│   ├── NotParkedError          nothing is parked that could be resolved
│   └── AnswerError
├── NodeError                   a node that failed for good
│   ├── NodeTimeoutError
│   ├── ExpiredError            nobody answered in time
│   ├── RejectedError           somebody said no
│   ├── OutputError             a model's answer is not what its schema asks for
│   └── UnsafeTextError         a safety check refuses a text
├── RunTimeoutError
├── RunNotFoundError
├── ServerUnavailableError      the Temporal server cannot be reached
├── WorkerMissingError          nobody answers on the task queue
├── SettingsError
├── ProviderError               an outside system
│   ├── ProviderRejectedError
│   │   ├── ContextTooLongError
│   │   └── ContentFilteredError
│   ├── ProviderAuthError
│   ├── ProviderRateLimitedError
│   └── ProviderUnavailableError
│       ├── ProviderOverloadedError
│       └── ProviderTimeoutError
├── StorageUnavailableError     what is kept beside Temporal cannot be reached
├── StreamSupersededError       a newer attempt writes the text
├── BudgetExceededError         a call would pass a cap
└── PriceUnknownError           nobody knows what a model costs
"""

from orchestrator.errors.outside import (
    BudgetExceededError,
    ContentFilteredError,
    ContextTooLongError,
    PriceUnknownError,
    ProviderAuthError,
    ProviderError,
    ProviderOverloadedError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    StorageUnavailableError,
    StreamSupersededError,
)
from orchestrator.errors.tree import (
    AnswerError,
    DefinitionError,
    DefinitionNotFoundError,
    ExpiredError,
    ExpressionBudgetError,
    ExpressionError,
    ExpressionSyntaxError,
    InputError,
    Issue,
    LimitError,
    MessageError,
    MigrationError,
    NodeError,
    NodeTimeoutError,
    NothingAwaitedError,
    NotParkedError,
    OrchestratorError,
    OutputError,
    RejectedError,
    RequestError,
    RunNotFoundError,
    RunTimeoutError,
    ServerUnavailableError,
    SettingsError,
    TemplateError,
    TooLargeError,
    UnsafeTextError,
    WorkerMissingError,
    shortened,
)

__all__ = [
    "AnswerError",
    "BudgetExceededError",
    "ContentFilteredError",
    "ContextTooLongError",
    "DefinitionError",
    "DefinitionNotFoundError",
    "ExpiredError",
    "ExpressionBudgetError",
    "ExpressionError",
    "ExpressionSyntaxError",
    "InputError",
    "Issue",
    "LimitError",
    "MessageError",
    "MigrationError",
    "NodeError",
    "NodeTimeoutError",
    "NotParkedError",
    "NothingAwaitedError",
    "OrchestratorError",
    "OutputError",
    "PriceUnknownError",
    "ProviderAuthError",
    "ProviderError",
    "ProviderOverloadedError",
    "ProviderRateLimitedError",
    "ProviderRejectedError",
    "ProviderTimeoutError",
    "ProviderUnavailableError",
    "RejectedError",
    "RequestError",
    "RunNotFoundError",
    "RunTimeoutError",
    "ServerUnavailableError",
    "SettingsError",
    "StorageUnavailableError",
    "StreamSupersededError",
    "TemplateError",
    "TooLargeError",
    "UnsafeTextError",
    "WorkerMissingError",
    "shortened",
]
