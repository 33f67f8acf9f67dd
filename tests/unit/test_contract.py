"""openapi.yaml against the code: the same operations, fields, limits, words and errors; and the Postman collection
against openapi.yaml. What a running server answers is held to it by tests/system/test_contract_live.py."""

import ast
import dataclasses
import json
import re
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints
from unittest.mock import Mock

import lib
from lib import json_text
from lib.api import event_messages, events, job_filters, job_pages, job_search
from lib.api.bulk import batch, upload
from lib.api.queue_pages import MOST_ON_A_PAGE
from lib.api.routes import AllOperations, routes
from lib.api.shown_queue import present_one_queue
from lib.errors import WaybillError
from lib.handlers.email import attachment, email_payload, html_text
from lib.handlers.email.address_lists import Addressee
from lib.handlers.webhook import signature, webhook_payload
from lib.http1.client import url
from lib.http1.server.limits import Limits
from lib.ids import JOB_ID, QUEUE_NAME
from lib.jobs import (
    explanation,
    failure,
    masking,
    queue_settings,
    registry,
    request_fields,
    result,
    start_limits,
    summary,
)
from lib.jobs.backoff import DEFAULT_BACKOFF
from lib.jobs.graph_reader import MOST_IN_THEN
from lib.jobs.group import GROUP_NAME
from lib.jobs.job import HISTORY_KEPT, MAX_ATTEMPTS, MAX_DELAY_S, MAX_TIMEOUT_S, PRIORITIES, Attempt, JobRecord
from lib.jobs.job_graph_request import GRAPH_FIELDS, MOST_PARENTS
from lib.jobs.payload import json_name
from lib.jobs.queue_settings import MAX_DEPTH, SETTINGS
from lib.jobs.shown import present
from lib.jobs.spec import JobSpec
from lib.jobs.state import FINISHED, STATES, TRANSITIONS
from lib.jobs.workflow import RULES
from lib.queue import listing, notes
from lib.queue.census import Census
from lib.queue.group_store import Group
from lib.queue.queue_trouble import TROUBLES
from lib.settings import settings_table
from lib.web import preferences
from lib.web.problems import RETRY_AFTER_S, InternalError
from lib.web.router import Route
from tests import contract
from tests.contract import Operation
from tests.traces import new_trace

ROOT = Path(__file__).resolve().parents[2]
POSTMAN = ROOT / "prod" / "Postman_Collection.json"
# The rooms that answer a request; what they name of lib/errors.py, a caller can be told.
ANSWERING = ("api", "web", "http1", "jobs", "queue", "redis_link")
CONTRACT = contract.load()


CALLBACKS = "/api/callbacks/"
QUIET = {"enqueued": 0, "completed": 0, "retried": 0, "dead": 0, "cancelled": 0}


def table() -> tuple[Route, ...]:
    return routes(AllOperations(*[Mock() for _ in AllOperations._fields]))


def errors_that_can_be_raised() -> dict[str, type[WaybillError]]:
    """By slug."""
    files = [path for room in ANSWERING for path in (ROOT / "lib" / room).rglob("*.py")]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    named = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    # A class without a slug of its own is a kind of error, and none that is raised.
    raised = {kind.slug: kind for kind in _kinds(WaybillError) if kind.__name__ in named and "slug" in vars(kind)}
    return raised | {InternalError.slug: InternalError}


def _kinds(of: type[WaybillError]) -> list[type[WaybillError]]:
    return [kind for below in of.__subclasses__() for kind in (below, *_kinds(below))]


def lua(name: str = "*") -> str:
    """The text of every script and fragment, or of the one of that name."""
    files = (ROOT / "lib" / "queue" / "lua").rglob(f"{name}.lua")
    return "".join(path.read_text(encoding="utf-8") for path in sorted(files))


def _bare(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields' schemas without their prose."""
    prose = ("description", "examples")
    return {name: {key: value for key, value in field.items() if key not in prose} for name, field in fields.items()}


def _choices(node: Any) -> Iterator[dict[str, Any]]:
    """Each branch of each oneOf and anyOf in a schema."""
    if type(node) is dict:
        yield from (*node.get("oneOf", ()), *node.get("anyOf", ()))
    below = node.values() if type(node) is dict else node if type(node) is list else ()
    for one in below:
        yield from _choices(one)


def _referred(node: Any) -> set[str]:
    """The schemas to which that refers, and they in turn."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        referred = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(waiting.pop())))
        waiting += [CONTRACT.schema(name) for name in referred - found]
        found |= referred
    return found


def _schemas_in(answers: list[dict[str, Any]]) -> list[Any]:
    """Those written into the answers themselves. (An example of a schema, as `GET /api/types` has one, is none.)"""
    media = [media for answer in answers for one in answer.values() for media in one.get("content", {}).values()]
    return [one["schema"] for one in media]


class Operations(unittest.TestCase):
    def test_the_table_and_the_contract_hold_the_same_operations_in_the_same_order(self) -> None:
        self.assertEqual(
            [(route.method, route.pattern, route.name) for route in table()],
            [(operation.method, operation.path, operation.id) for operation in CONTRACT.operations],
        )

    def test_each_takes_the_parameters_and_the_body_that_the_table_says(self) -> None:
        for route in table():
            with self.subTest(route.name):
                operation = CONTRACT.operation(route.name)

                self.assertEqual(sorted(route.parameters), sorted(operation.parameters_in("query")))
                self.assertEqual(re.findall(r"{(\w+)}", route.pattern), operation.parameters_in("path"))
                self.assertEqual(["X-Request-ID", "traceparent"], operation.parameters_in("header")[:2])
                self.assertEqual(route.takes_body, "requestBody" in operation.fields)
                if route.takes_body:
                    self.assertEqual([*route.bodies], [*operation.fields["requestBody"]["content"]])

    def test_each_answers_with_the_media_types_that_the_table_says(self) -> None:
        for route in table():
            with self.subTest(route.name):
                answers = CONTRACT.responses(CONTRACT.operation(route.name)).items()
                kinds = {kind for status, answer in answers if status[0] == "2" for kind in answer.get("content", {})}

                self.assertEqual({kind.partition(";")[0] for kind in route.produces}, kinds)

    def test_a_key_is_asked_for_everywhere_but_for_probes_and_pages(self) -> None:
        for route in table():
            with self.subTest(route.name):
                # What is called back has a key of its own in its path.
                needs_key = route.pattern.startswith(("/api", "/metrics")) and not route.pattern.startswith(CALLBACKS)

                self.assertEqual(needs_key, route.scope is not None)
                # A preview of times changes nothing, though it has a body.
                is_reading = route.method == "GET" or route.name == "previewSchedule"
                self.assertTrue(not needs_key or is_reading == (route.scope == "read"))

    def test_the_contract_asks_for_the_scopes_of_the_table_and_shows_how_each_is_refused(self) -> None:
        for route in table():
            with self.subTest(route.name):
                fields = CONTRACT.operation(route.name).fields
                may_be_forbidden = route.scope not in (None, "read")

                self.assertEqual([] if route.scope is None else [{"key": [route.scope]}], fields["security"])
                is_limited = route.scope is not None or route.pattern.startswith(CALLBACKS)
                for status, is_due in (("401", route.scope), ("403", may_be_forbidden), ("429", is_limited)):
                    self.assertEqual(bool(is_due), status in fields["responses"], status)

    def test_each_is_explained_and_shows_every_answer(self) -> None:
        for operation in CONTRACT.operations:
            for status, response in CONTRACT.responses(operation).items():
                with self.subTest(operation=operation.id, status=status):
                    self.assertTrue(operation.fields["summary"] and operation.fields["description"])
                    self.assertTrue(response["description"])
                    self.assertIn("X-Request-ID", response["headers"])
                    self.assertEqual(status in ("204", "304"), "content" not in response)
                    for media in response.get("content", {}).values():
                        self.assertTrue(media.keys() & {"example", "examples"})

    def test_each_under_api_says_that_unknown_parameters_are_refused(self) -> None:
        for operation in CONTRACT.operations:
            self.assertEqual(operation.path.startswith("/api"), "422" in operation.fields["responses"], operation.id)

    def test_every_429_and_503_says_when_to_come_back(self) -> None:
        for operation in CONTRACT.operations:
            for status in {"429", "503"} & CONTRACT.responses(operation).keys():
                headers = CONTRACT.responses(operation)[status]["headers"]
                self.assertIn("Retry-After", headers, (operation.id, status))
        self.assertEqual(str(RETRY_AFTER_S), CONTRACT.document["components"]["headers"]["RetryAfter"]["example"])


class Facts(unittest.TestCase):
    """What the code knows as a number or a word, and the contract says as well."""

    def properties(self, schema: str) -> dict[str, Any]:
        return dict(CONTRACT.schema(schema)["properties"])

    def test_version_and_address(self) -> None:
        defaults = {setting.name: setting.default for setting in settings_table.SETTINGS}

        self.assertEqual(lib.__version__, CONTRACT.document["info"]["version"])
        (server,) = CONTRACT.document["servers"]
        self.assertEqual(f"http://{defaults['HOST']}:{defaults['PORT']}", server["url"])

    def test_states_and_priorities(self) -> None:
        self.assertEqual(list(STATES), CONTRACT.schema("State")["enum"])
        self.assertEqual(list(PRIORITIES), CONTRACT.schema("Priority")["enum"])
        self.assertIn(f"`{JobSpec._field_defaults['priority']}`", self.properties("NewJob")["priority"]["description"])

    def test_events_are_those_of_the_table_and_the_streams_length_is_told(self) -> None:
        shown = self.properties("Transition")["by"]["enum"]
        told = CONTRACT.operation("readEvents").fields["description"]
        (for_s,) = [one for one in CONTRACT.operation("readEvents").parameters if one["name"] == "for_s"]

        self.assertEqual({one.event for one in TRANSITIONS if one.after != "-"}, set(shown))
        self.assertEqual(events.MAX_FOR_S, for_s["schema"]["maximum"])
        self.assertIn(f"every {event_messages.HEARTBEAT_S:g} seconds", told)
        self.assertIn(f"{events.MOST_READERS} may read", " ".join(told.split()))

    def test_outcomes_of_attempts_are_those_that_the_scripts_write(self) -> None:
        scripts = lua()
        written = set(re.findall(r"remember\(job, '(\w+)'", scripts))

        self.assertEqual(written | FINISHED, set(self.properties("Attempt")["outcome"]["enum"]))

    def test_ids_and_names(self) -> None:
        job_id = re.sub(r"\(([^()]*)\)", r"\1", JOB_ID.pattern)

        self.assertEqual(f"^{QUEUE_NAME.pattern}$", CONTRACT.schema("QueueName")["pattern"])
        self.assertEqual(f"^{job_id}$", CONTRACT.schema("JobId")["pattern"])
        self.assertEqual(f"^{lib.ids._REQUEST_ID.pattern}$", CONTRACT.schema("RequestId")["pattern"])
        location = CONTRACT.document["components"]["headers"]["Location"]["schema"]["pattern"]
        self.assertEqual(f"^/api/jobs/{job_id}$", location)

    def test_fields_of_a_new_job_and_their_bounds(self) -> None:
        fields = self.properties("NewJob")
        backoff = self.properties("BackoffWish")

        self.assertEqual([*request_fields.CHECKS, "after", "then"], list(fields))
        unique = self.properties("UniqueWish")
        spans = (fields["delay_s"], backoff["base_s"], backoff["cap_s"], fields["expires_in_s"], fields["retain_s"])
        for field in (*spans, unique["ttl_s"], fields["give_up_after_s"]):
            self.assertEqual(MAX_DELAY_S, field["maximum"])
        self.assertEqual(MAX_TIMEOUT_S, fields["timeout_s"]["maximum"])
        self.assertEqual(MAX_ATTEMPTS, fields["max_attempts"]["maximum"])
        self.assertEqual(request_fields.MAX_UNIQUE_KEY, unique["key"]["maxLength"])
        self.assertIn(f"a day ({request_fields.UNIQUE_TTL_S:,} s)", unique["ttl_s"]["description"])
        for name, seconds in DEFAULT_BACKOFF._asdict().items():
            self.assertIn(f"Left out, {seconds}", backoff[name]["description"])

    def test_a_job_of_a_batch_needs_what_any_job_needs_and_may_have_a_key(self) -> None:
        self.assertNotIn("idempotency_key", self.properties("NewJob"))
        self.assertEqual(CONTRACT.schema("NewJob")["required"], CONTRACT.schema("BatchJob")["required"])
        of_a_batch = self.properties("BatchJob")
        del of_a_batch["idempotency_key"]
        alone = {name: field for name, field in self.properties("NewJob").items() if name not in GRAPH_FIELDS}
        self.assertEqual(_bare(alone), _bare(of_a_batch))

    def test_a_job_of_a_then_has_the_fields_of_any_job_but_two_and_a_rule(self) -> None:
        of_then = self.properties("ThenJob")
        rule = of_then.pop("on")

        fields = {name: field for name, field in self.properties("NewJob").items() if name not in ("unique", "after")}
        self.assertEqual(_bare(fields), _bare(of_then))
        self.assertEqual(list(RULES), rule["enum"])
        self.assertEqual(MOST_PARENTS, self.properties("NewJob")["after"]["maxItems"])
        self.assertEqual(MOST_IN_THEN, self.properties("NewJob")["then"]["maxItems"])

    def test_what_is_sent_is_written_flat(self) -> None:
        """Generators take the branches of a oneOf for the whole, send a default along, trip over a boolean const."""
        for name in ("NewJob", "BatchJob", "EmailPayload", "BackoffWish", "UniqueWish", "JobChange", "QueueChange"):
            with self.subTest(name):
                schema = CONTRACT.schema(name)

                self.assertFalse({"oneOf", "anyOf", "allOf", "not", "const"} & schema.keys())
                self.assertFalse([one for one, field in schema["properties"].items() if "default" in field])
        text = (ROOT / "openapi.yaml").read_text(encoding="utf-8")
        self.assertNotRegex(text, r"\bconst: ")

    def test_a_schema_that_holds_itself_is_never_null(self) -> None:
        """openapi-python-client drops one that is, and every schema and answer that refers to it."""
        schemas = CONTRACT.document["components"]["schemas"]
        holders = [name for name, schema in schemas.items() if name in _referred(schema)]

        self.assertIn("JobError", holders)
        for name in holders:
            self.assertEqual("object", schemas[name]["type"])

    def test_a_choice_that_may_be_null_is_named(self) -> None:
        """Of an inline enum with null in it, generators make a type for each form, or none."""
        schemas = json.dumps(CONTRACT.document["components"]["schemas"])

        self.assertNotRegex(schemas, r'"enum": \[[^\]]*null')

    def test_no_choice_has_an_array_written_into_it(self) -> None:
        """openapi-generator: Java that does not compile; and of type: [string, array] it takes the string alone."""
        schemas = CONTRACT.document["components"]["schemas"]
        choices = [one for schema in schemas.values() for one in _choices(schema)]

        self.assertTrue(choices)
        self.assertEqual([], [one for one in choices if "items" in one])
        self.assertNotRegex(json.dumps(schemas), r'"type": \["string", "array"')

    def test_what_is_answered_may_have_more_members_and_what_is_sent_may_not(self) -> None:
        """Models of Java's and pydantic's kind raise at a member of a later version where a schema is closed."""
        schemas = CONTRACT.document["components"]["schemas"]
        sent = {name for name, schema in schemas.items() if schema.get("additionalProperties") is False}
        answers = [CONTRACT.responses(operation) for operation in CONTRACT.operations]
        answered = _referred(answers)

        self.assertLess({"NewJob", "BatchJob", "EmailPayload", "JobChange", "QueueChange"}, sent)
        self.assertLess({"Job", "BatchItem", "Problem", "Queue", "Worker", "Health"}, answered)
        for text in map(json.dumps, (_schemas_in(answers), [schemas[name] for name in answered])):
            self.assertNotIn('"additionalProperties": false', text)

    def test_a_mail_that_is_shown_is_an_email_payload(self) -> None:
        """A NewJob can't say so itself: the schema of its payload would hang on its type."""
        shown = [value for operation, _, value in CONTRACT.request_examples() if operation.id == "createJob"]
        mails = [job["payload"] for job in shown if job["type"] == "email"]

        self.assertTrue(mails)
        for payload in mails:
            self.assertEqual([], list(CONTRACT.faults(payload, {"$ref": "#/components/schemas/EmailPayload"})))

    def test_bounds_of_a_batch(self) -> None:
        told = CONTRACT.operation("createJobs").fields

        self.assertEqual(batch.MOST_ITEMS, told["requestBody"]["content"]["application/json"]["schema"]["maxItems"])
        self.assertEqual(batch.MOST_ITEMS, self.properties("BatchAnswer")["items"]["maxItems"])
        for words in (
            f"{batch.MOST_ITEMS:,} jobs and {batch.ARRAY_BYTES >> 20} MiB at most",
            f"{batch.NDJSON_BYTES >> 20} MiB at most and {upload.LINE_BYTES >> 20} MiB a line",
            f"away for {upload.PATIENCE_S:g} seconds",
        ):
            self.assertIn(words, " ".join(told["description"].split()))

    def test_what_an_email_job_gets_where_nothing_is_said(self) -> None:
        fields = self.properties("NewJob")
        (job_type,) = registry._types_in("lib.handlers.email", [])

        self.assertIn(f"`{job_type.queue}` for email", fields["queue"]["description"])
        self.assertIn(f"{job_type.max_attempts} for email", fields["max_attempts"]["description"])
        self.assertIn(f"{job_type.timeout_s:g} for email", fields["timeout_s"]["description"])
        base_s, cap_s = job_type.backoff
        self.assertIn(f"({base_s} and {cap_s} for email)", fields["backoff"]["description"])
        assert job_type.give_up_ms is not None
        self.assertIn(
            f"({job_type.give_up_ms // 1000}, three days, for email)", fields["give_up_after_s"]["description"]
        )

    def test_what_a_webhook_gets_where_nothing_is_said(self) -> None:
        fields = self.properties("NewJob")
        (job_type,) = registry._types_in("lib.handlers.webhook", [])

        self.assertIn(f"`{job_type.queue}` for webhook", " ".join(fields["queue"]["description"].split()))
        self.assertIn(f"{job_type.max_attempts} for webhook", fields["max_attempts"]["description"])
        self.assertIn(f"{job_type.timeout_s:g} for webhook", fields["timeout_s"]["description"])
        base_s, cap_s = job_type.backoff
        self.assertIn(f"({base_s:g} and {cap_s:g} for webhook)", " ".join(fields["backoff"]["description"].split()))

    def test_fields_of_a_webhook_and_their_bounds(self) -> None:
        fields = self.properties("WebhookPayload")
        taken = [field for field in dataclasses.fields(webhook_payload.Webhook) if field.init]

        self.assertEqual([field.name for field in taken], list(fields))
        self.assertEqual(["url"], CONTRACT.schema("WebhookPayload")["required"])
        methods = get_type_hints(webhook_payload.Webhook)["method"]
        self.assertEqual(list(get_args(methods)), fields["method"]["enum"])
        self.assertEqual(url.MOST_CHARACTERS, fields["url"]["maxLength"])
        self.assertEqual(webhook_payload.MAX_HEADERS, fields["headers"]["maxProperties"])
        self.assertEqual(webhook_payload.MAX_HEADER_CHARS, fields["headers"]["additionalProperties"]["maxLength"])
        self.assertEqual(webhook_payload.MAX_STATUSES, fields["give_up_on"]["maxItems"])
        self.assertIn(f"up to {signature.MOST_SECRETS} of them", " ".join(fields["secret"]["description"].split()))
        self.assertIn(f"{signature.LEAST_BYTES} to {signature.MOST_BYTES} bytes", fields["secret"]["description"])

    def test_a_webhook_that_is_shown_is_a_webhook_payload(self) -> None:
        shown = [value for operation, _, value in CONTRACT.request_examples() if operation.id == "createJob"]
        payloads = [job["payload"] for job in shown if job["type"] == "webhook"]

        self.assertTrue(payloads)
        for payload in payloads:
            self.assertEqual([], list(CONTRACT.faults(payload, {"$ref": "#/components/schemas/WebhookPayload"})))
            webhook_payload.Webhook(**payload)

    def test_fields_of_a_mail_and_their_bounds(self) -> None:
        fields = self.properties("EmailPayload")
        taken = [field for field in dataclasses.fields(email_payload.Email) if field.init]
        required = [
            json_name(field)
            for field in taken
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]

        self.assertEqual([json_name(field) for field in taken], list(fields))
        self.assertEqual(required, CONTRACT.schema("EmailPayload")["required"])
        self.assertEqual(email_payload.MAX_SUBJECT_CHARS, fields["subject"]["maxLength"])
        self.assertEqual(email_payload.MAX_HEADERS, fields["headers"]["maxProperties"])
        self.assertEqual(email_payload.MAX_HEADER_CHARS, fields["headers"]["additionalProperties"]["maxLength"])
        self.assertIn(f"{email_payload.MAX_RECIPIENTS} recipients", CONTRACT.schema("EmailPayload")["description"])
        on_uncertain = get_type_hints(email_payload.Email)["on_uncertain"]
        self.assertEqual(list(get_args(on_uncertain)), fields["on_uncertain"]["enum"])
        self.assertIn(f"Left out, `{taken[-1].default}`", fields["on_uncertain"]["description"])
        self.assertEqual(email_payload.MAX_ATTACHMENTS, fields["attachments"]["maxItems"])
        self.assertIn(f"{html_text.MOST_TAGS:,} tags", " ".join(fields["text"]["description"].split()))
        self.assertIn(f"{email_payload.MAX_RECIPIENTS} at most", CONTRACT.schema("Addressees")["description"])
        addressee = [field.name for field in dataclasses.fields(Addressee)]
        self.assertEqual(addressee, list(CONTRACT.schema("Addressee")["properties"]))

    def test_fields_of_an_attachment_and_their_bounds(self) -> None:
        fields = self.properties("Attachment")
        taken = [field for field in dataclasses.fields(attachment.Attachment) if field.init]
        (disposition, _) = get_args(get_type_hints(attachment.Attachment)["disposition"])

        self.assertEqual([field.name for field in taken], list(fields))
        self.assertEqual(["content"], CONTRACT.schema("Attachment")["required"])
        self.assertEqual(attachment.MAX_FILENAME_CHARS, fields["filename"]["maxLength"])
        self.assertEqual(attachment.MAX_CONTENT_TYPE_CHARS, fields["content_type"]["maxLength"])
        for word in get_args(disposition):
            self.assertIn(f"`{word}`", fields["disposition"]["description"])

    def test_a_job_has_the_fields_that_the_api_shows(self) -> None:
        attempt_ended = Attempt(1, 1, 2, "host.1.00000000", "completed", None)
        trace = new_trace()
        spec = JobSpec("email", {}, "an-id", trace, 5, 60.0, DEFAULT_BACKOFF)
        for known in (spec, None):
            shown = present(
                JobRecord(
                    "email-" + "0" * 32,
                    "email",
                    "completed",
                    known,
                    created_ms=0,
                    is_result_truncated=True,
                    result_error="it is no JSON",
                    history=(attempt_ended,),
                )
            )

            self.assertEqual([], list(CONTRACT.faults(shown, CONTRACT.schema("Job"))))
            self.assertEqual(sorted([*shown, "outcome"]), sorted(self.properties("Job")))
            self.assertEqual(
                sorted({*shown} - {"result_truncated", "result_error"}),
                sorted(CONTRACT.schema("Job")["required"]),
            )

    def test_a_queue_counts_every_state(self) -> None:
        self.assertEqual(list(STATES), CONTRACT.schema("Queue")["properties"]["counts"]["required"])
        self.assertEqual(MAX_DEPTH, self.properties("QueueChange")["max_depth"]["maximum"])
        self.assertEqual(MAX_DEPTH, self.properties("Queue")["max_depth"]["maximum"])
        census = Census("q", {}, 0, None, QUIET, {}, queue_settings.shown({}), None, {}, 0, 0)
        shown = present_one_queue(census._replace(counts=dict.fromkeys(STATES, 0)), [])
        self.assertEqual([], list(CONTRACT.faults(shown, CONTRACT.schema("Queue"))))
        self.assertEqual({*shown}, {*self.properties("Queue")})
        self.assertEqual([*TROUBLES], self.properties("Trouble")["code"]["enum"])
        (limit,) = (one for one in CONTRACT.operation("listQueues").fields["parameters"] if one["name"] == "limit")
        self.assertEqual((MOST_ON_A_PAGE,) * 2, (limit["schema"]["default"], limit["schema"]["maximum"]))
        self.assertEqual({*SETTINGS}, {*self.properties("QueueChange")})

    def test_limits_and_their_bounds(self) -> None:
        for schema in ("Queue", "QueueChange", "GroupLimits", "GroupLimitsWish", "GroupChange"):
            concurrency = self.properties(schema)["concurrency"]
            self.assertEqual((1, start_limits.MAX_CONCURRENCY), (concurrency["minimum"], concurrency["maximum"]))
        for schema in ("Rate", "RateWish"):
            limit, per_s = (self.properties(schema)[name] for name in ("limit", "per_s"))
            self.assertEqual((1, start_limits.MAX_RATE), (limit["minimum"], limit["maximum"]))
            bounds_s = (start_limits.LEAST_PER_S, start_limits.MOST_PER_S)
            self.assertEqual(bounds_s, (per_s["minimum"], per_s["maximum"]))
        self.assertEqual(f"^{GROUP_NAME.pattern}$", CONTRACT.schema("GroupName")["pattern"])
        group = {*Group._fields} - {"until_ms", "concurrency", "rate"} | {"until", "limits"}
        self.assertEqual(group, {*self.properties("Group")})
        self.assertEqual({*queue_settings.shown({})["groups"]}, {*self.properties("GroupLimits")})
        self.assertEqual({*self.properties("GroupLimits")}, {*self.properties("GroupLimitsWish")})

    def test_the_words_of_an_explanation(self) -> None:
        said = self.properties("Explanation")["reason"]["description"]
        self.assertEqual([*explanation.REASONS], re.findall(r"^- `(\w+)`:", said, re.MULTILINE))
        self.assertEqual([*explanation.ETA_FROM], CONTRACT.schema("EtaFrom")["enum"])
        words = [*dict.fromkeys(explanation.AHEAD_PRECISION.values())]
        self.assertEqual(words, CONTRACT.schema("AheadPrecision")["enum"])

    def test_what_is_cut_and_kept(self) -> None:
        job = self.properties("Job")
        lines = self.properties("JobLog")["items"]

        self.assertEqual(HISTORY_KEPT, job["history"]["maxItems"])
        self.assertEqual(failure.MESSAGE_CHARS, self.properties("JobError")["message"]["maxLength"])
        self.assertEqual(failure.TRACEBACK_CHARS, self.properties("JobError")["traceback"]["maxLength"])
        self.assertIn(f"{failure.ERROR_BYTES >> 10} KiB at most", CONTRACT.schema("JobError")["description"])
        self.assertIn(f"over {result.RESULT_BYTES >> 10} KiB", job["result_error"]["description"])
        self.assertIn(f"over {json_text.MAX_DEPTH} levels", job["result_error"]["description"])
        self.assertEqual(result.REASON_CHARS, job["result_error"]["maxLength"])
        self.assertEqual(notes.LINE_CHARS, self.properties("JobLogLine")["text"]["maxLength"])
        self.assertEqual(notes.LINES_KEPT, lines["maxItems"])
        self.assertIn(f"LINES_KEPT = '{notes.LINES_KEPT}'", lua("notes"))

    def test_secrets_are_masked_under_every_name_that_it_gives(self) -> None:
        words = re.findall(r"`(.+?)`", self.properties("Job")["payload"]["description"])
        self.assertEqual(masking.MASK, words.pop())
        spec = JobSpec(
            "any", {f"my_{word}_1": "hush" for word in words}, "an-id", new_trace(), 5, 60.0, DEFAULT_BACKOFF
        )

        shown = present(JobRecord("any-" + "0" * 32, "any", "ready", spec))

        self.assertGreater(len(words), 4)
        self.assertEqual({masking.MASK}, set(shown["payload"].values()))

    def test_bounds_of_parameters(self) -> None:
        (wait,) = [one for one in CONTRACT.operation("readJob").parameters if one["name"] == "wait"]

        self.assertIn(f"more than {preferences.MAX_WAIT_S} are {preferences.MAX_WAIT_S}", wait["description"])
        told = CONTRACT.operation("listJobs").fields["description"]
        self.assertIn(f"{listing.MOST_LOOKED_AT:,} jobs", told)
        self.assertIn(f"{listing.MOST_IDS:,}", told)
        self.assertEqual((0.5, True), (job_search.SEARCH_S, "half a second" in told))
        self.assertIn(f"when {job_pages.SOUGHT_IN:,} jobs were looked at", told.replace("\n", " "))
        (sought,) = [one["schema"] for one in CONTRACT.operation("listJobs").parameters if one["name"] == "q"]
        limits = job_filters.FEWEST_SOUGHT, job_filters.MOST_SOUGHT
        self.assertEqual(limits, (sought["minLength"], sought["maxLength"]))
        self.assertEqual(summary.GIST_CHARS, self.properties("JobSummary")["gist"]["maxLength"])
        self.assertEqual([*listing.ORDERS], CONTRACT.schema("JobOrder")["enum"])

    def test_the_limits_of_http(self) -> None:
        limits = Limits()
        (told,) = re.findall(r"\*\*Limits\.\*\* (.*)", CONTRACT.document["info"]["description"].replace("\n", " "))

        for words in (
            f"Body {limits.body_bytes >> 20} MiB (a batch has its own limits)",
            f"request line {limits.request_line_bytes >> 10} KiB",
            f"header fields {limits.header_bytes >> 10} KiB and {limits.header_fields} of them",
            f"A head must be here within {limits.head_s:g} s",
            f"a body within {limits.body_s:g} s",
            f"closed after {limits.idle_s:g} s",
            f"after {limits.requests_per_connection:,} requests",
        ):
            self.assertIn(words, told)


class Problems(unittest.TestCase):
    def setUp(self) -> None:
        self.raised = errors_that_can_be_raised()
        self.schema = CONTRACT.schema("Problem")

    def test_the_types_are_the_errors_that_the_api_can_raise(self) -> None:
        self.assertEqual(sorted(self.raised), sorted(slug for slug, _ in CONTRACT.problems))

    def test_each_is_explained_with_its_status(self) -> None:
        self.assertEqual({slug: kind.status for slug, kind in self.raised.items()}, dict(CONTRACT.problems))

    def test_a_client_need_not_know_them_all(self) -> None:
        """Generated clients raise at a value that an enum, or a member that the schema, does not have."""
        self.assertNotIn("enum", self.schema["properties"]["type"])
        self.assertNotIn("additionalProperties", self.schema)

    def test_each_is_shown_once_at_least_with_its_own_title_and_status(self) -> None:
        shown = set()
        for operation in CONTRACT.operations:
            for status, response in CONTRACT.responses(operation).items():
                media = response.get("content", {}).get("application/problem+json", {"examples": {}})
                for name, reference in media["examples"].items():
                    value = CONTRACT.follow(reference)["value"]
                    kind = self.raised[name]
                    shown.add(name)

                    self.assertEqual(
                        (f"/problems/{name}", kind.title, kind.status), (value["type"], value["title"], value["status"])
                    )
                    self.assertIn(status, (str(kind.status), "default"))
        self.assertEqual(set(self.raised), shown)


class Examples(unittest.TestCase):
    def test_each_is_what_its_schema_says(self) -> None:
        examples = list(CONTRACT.examples())

        self.assertGreater(len(examples), 50)
        for example in examples:
            with self.subTest(example.place):
                self.assertEqual([], list(CONTRACT.faults(example.value, example.schema)))


class Postman(unittest.TestCase):
    """prod/Postman_Collection.json, as far as it can be judged without running it."""

    def setUp(self) -> None:
        self.collection = json.loads(POSTMAN.read_text(encoding="utf-8"))
        self.items = [item for folder in self.collection["item"] for item in folder["item"]]

    def asked(self, item: dict[str, Any]) -> Operation | None:
        request = item["request"]
        target = request["url"]["raw"].removeprefix("{{baseUrl}}")
        for operation in CONTRACT.operations:
            if operation.method == request["method"] and contract.path_matches(operation.path, target):
                return operation
        return None

    def test_it_is_a_collection_of_version_2_1_with_its_variables(self) -> None:
        self.assertEqual(
            "https://schema.getpostman.com/json/collection/v2.1.0/collection.json", self.collection["info"]["schema"]
        )
        self.assertLessEqual(
            {"baseUrl", "jobId", "requestId"}, {variable["key"] for variable in self.collection["variable"]}
        )
        (base,) = [one["value"] for one in self.collection["variable"] if one["key"] == "baseUrl"]
        self.assertEqual(CONTRACT.document["servers"][0]["url"], base)

    def test_it_asks_for_every_operation(self) -> None:
        asked = {operation.id for item in self.items if (operation := self.asked(item)) is not None}

        self.assertEqual({operation.id for operation in CONTRACT.operations}, asked)

    def test_outside_of_the_refusals_it_asks_for_nothing_else(self) -> None:
        for folder in self.collection["item"]:
            for item in folder["item"]:
                is_known = self.asked(item) is not None
                self.assertTrue(is_known or folder["name"] in ("Refusals", "Methods"), item["name"])

    def test_each_request_is_tested_and_bears_the_request_id(self) -> None:
        for item in self.items:
            with self.subTest(item["name"]):
                tests = [event for event in item["event"] if event["listen"] == "test"]
                script = "\n".join(line for event in tests for line in event["script"]["exec"])

                self.assertIn("pm.test(", script)
                self.assertIn("pm.response.to.have.status(", script)
                headers = {header["key"]: header["value"] for header in item["request"]["header"]}
                self.assertEqual("{{requestId}}", headers.get("X-Request-ID"))

    def script(self, of: dict[str, Any]) -> str:
        return "\n".join(line for one in of["event"] if one["listen"] == "test" for line in one["script"]["exec"])

    def test_it_demands_the_status_media_type_and_headers_that_the_contract_shows(self) -> None:
        for item in self.items:
            operation = self.asked(item)
            if operation is None:
                continue
            with self.subTest(item["name"]):
                script = self.script(item)
                (status,) = re.findall(r"have\.status\((\d+)\)", script)
                answer = CONTRACT.responses(operation)[status]

                for kind in re.findall(r'"Content-Type"\)\)\.to\.\w+\("([^";]+)', script):
                    self.assertIn(kind, {media.partition(";")[0] for media in answer["content"]})
                named = set(re.findall(r'headers\.get\("([^"]+)"\)', script))
                # These are said once, for all answers.
                self.assertLessEqual(named - {"Content-Type", "Content-Security-Policy"}, answer["headers"].keys())

    def test_pages_are_what_it_lets_be_kept(self) -> None:
        said = CONTRACT.document["info"]["description"]
        pages = {operation.id for operation in CONTRACT.operations if "304" in CONTRACT.responses(operation)}
        script = self.script(self.collection)
        (pattern,) = re.findall(r"const isPage = /(.+)/\.test\(pm\.request\.url\.getPath\(\)\)", script)

        self.assertIn("`Cache-Control: no-store` (pages: `no-cache`, with an `ETag`)", said)
        self.assertIn('"Cache-Control")).to.eql(isPage ? "no-cache" : "no-store")', script)
        self.assertEqual(script.count("Cache-Control"), POSTMAN.read_text(encoding="utf-8").count("Cache-Control"))
        for item in self.items:
            operation = self.asked(item)
            path = item["request"]["url"]["raw"].removeprefix("{{baseUrl}}").partition("?")[0]
            is_page = operation is not None and operation.id in pages

            self.assertEqual(is_page, re.search(pattern.replace("\\/", "/"), path) is not None, item["name"])

    def test_its_good_bodies_are_what_the_contract_takes(self) -> None:
        for folder in self.collection["item"]:
            for item in folder["item"]:
                if "body" in item["request"] and folder["name"] != "Refusals":
                    operation = self.asked(item)
                    assert operation is not None
                    body = json.loads(item["request"]["body"]["raw"])
                    schema = operation.fields["requestBody"]["content"]["application/json"]["schema"]
                    self.assertEqual([], list(CONTRACT.faults(body, schema)), item["name"])


if __name__ == "__main__":
    unittest.main()
