"""What ``orchestrator new`` begins with."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["TEMPLATES"]

_HELLO = """\
name: NAME
version: 1.0.0
description: Greets somebody.
inputs:
  name: {type: string, default: world, description: Who is greeted}
nodes:
  - id: greeting
    type: Format
    config: {template: "Hello, {{ inputs.name }}!"}
outputs:
  greeting: "{{ nodes.greeting.text }}"
"""

_TRIAGE = """\
name: NAME
version: 1.0.0
description: Has a model sort a message, and asks a person before an urgent one is passed on.
inputs:
  message: {type: string, minLength: 1, description: What somebody wrote}
limits: {steps: 50, timeout: 7d}
nodes:
  - id: sort
    type: ModelInvoke
    config:
      model: simulated
      max_tokens: 20
      prompt: |
        Which of these is it? Answer with its name only.
        - urgent: broken, lost, late, angry
        - question: asks how, when, where, why
        Message: {{ inputs.message }}
  - id: route
    type: Router
    config:
      routes: [{when: "nodes.sort.text.contains('urgent')", to: confirm}]
      otherwise: reply
  - id: confirm
    type: UserInput
    config:
      question: "Pass this on as urgent? (yes or no) {{ inputs.message }}"
      answer: {type: string, enum: ["yes", "no"]}
  - id: passed_on
    type: Format
    config: {template: "Passed on as urgent: {{ inputs.message }}"}
  - id: reply
    type: ModelInvoke
    join: any
    config: {model: simulated, prompt: "Answer kindly: {{ inputs.message }}"}
edges:
  - {from: sort, to: route}
  - {from: confirm, to: passed_on, when: "output.value == 'yes'"}
  - {from: confirm, to: reply, when: "output.value == 'no'"}
outputs:
  kind: "{{ nodes.sort.text }}"
  answer: "{% if nodes.reply is defined %}{{ nodes.reply.text }}{% endif %}"
  passed_on: "{{ nodes.passed_on is defined }}"
"""

_PARALLEL = """\
name: NAME
version: 1.0.0
description: Two branches at the same time, and one that waits for both.
inputs:
  items: {type: array, items: {type: integer}, default: [3, 1, 2]}
nodes:
  - id: sorted
    type: Transform
    config: {operation: sort, input: "{{ inputs.items }}"}
  - id: large
    type: Transform
    config: {operation: filter, input: "{{ inputs.items }}", where: "item > 1"}
  - id: report
    type: Format
    config: {template: "{{ nodes.large.result | length }} of {{ nodes.sorted.result | join(', ') }} are above 1"}
edges:
  - {from: sorted, to: report}
  - {from: large, to: report}
outputs:
  report: "{{ nodes.report.text }}"
"""

_EACH = """\
name: NAME
version: 1.0.0
description: Does the same with each item of a list, three at a time, and says which of them failed.
inputs:
  words: {type: array, items: {type: string}, default: [one, two, three]}
nodes:
  - id: each
    type: ForEach
    config:
      items: inputs.words
      concurrency: 3
      on_item_error: collect
      inputs: {word: "{{ item }}", number: "{{ index }}"}
      do:
        nodes:
          - id: answer
            type: ModelInvoke
            config: {model: simulated, prompt: "Explain in one sentence: {{ inputs.word }}"}
        outputs:
          text: "{{ inputs.number }}: {{ nodes.answer.text }}"
outputs:
  texts: "{{ nodes.each.results }}"
  failed: "{{ nodes.each.errors }}"
"""

TEMPLATES: Mapping[str, str] = MappingProxyType(
    {"each": _EACH, "hello": _HELLO, "parallel": _PARALLEL, "triage": _TRIAGE}
)
"""Text of each template; ``NAME`` in its first line is the name of the new definition."""
