"""The official SDKs, driven through a gateway by the test in tests/it/sdk.rs.

Each line on standard input is a call: {"call": ..., "base": the gateway's address}. Each line of the answer says what the SDK made of
it: text, tools, the counts in the meaning of our ledger (`null` where the SDK was told none), and an error with its status and the
`retry-after` that came with it.
"""

import gc
import json
import sys
from contextlib import closing

import anthropic
import openai
from google import genai
from google.genai import errors, types

KEY = "lamplight"
ASK = [{"role": "user", "content": "hello"}]


def made(text="", tools=(), counts=None, error=None):
    return {"text": text, "tools": list(tools), "counts": counts, "error": error}


def failed(error, status=None, headers=None, **so_far):
    headers = headers or {}
    return made(**so_far, error={"kind": type(error).__name__, "status": status, "retry_after": headers.get("retry-after")})


def anthropic_stream(base, stop_early=False):
    client = anthropic.Anthropic(base_url=f"{base}/anthropic", api_key=KEY, max_retries=0)
    text = ""
    try:
        with client.messages.stream(model="m", max_tokens=100, messages=ASK) as stream:
            for piece in stream.text_stream:
                text += piece
                if stop_early:
                    return made(text)
            message = stream.get_final_message()
    except anthropic.APIStatusError as error:
        return failed(error, error.status_code, error.response.headers, text=text)
    except (anthropic.APIError, anthropic.APIConnectionError) as error:
        return failed(error, text=text)
    except Exception as error:  # What httpx says of a connection that breaks.
        return failed(error, text=text)
    usage = message.usage
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    tools = [[block.name, block.input] for block in message.content if block.type == "tool_use"]
    counts = {"input": usage.input_tokens + cached + written, "output": usage.output_tokens, "cached": cached, "cache_written": written}
    return made("".join(block.text for block in message.content if block.type == "text"), tools, counts)


def openai_client(base):
    return openai.OpenAI(base_url=f"{base}/openai/v1", api_key=KEY, max_retries=0)


def openai_counts(input, output, input_details, output_details):
    return {
        "input": input,
        "output": output,
        "cached": (input_details and input_details.cached_tokens) or 0,
        "reasoning": (output_details and output_details.reasoning_tokens) or 0,
    }


def openai_chat(base, asks=False, stop_early=False):
    text, tools, counts = "", {}, None
    options = {"stream_options": {"include_usage": True}} if asks else {}
    try:
        asked = openai_client(base).chat.completions.create(model="m", messages=ASK, stream=True, **options)
        with closing(asked) as stream:
            for chunk in stream:
                if chunk.usage:
                    usage = chunk.usage
                    counts = openai_counts(
                        usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details, usage.completion_tokens_details
                    )
                if not asks and not chunk.choices:
                    raise ValueError("a chunk without choices, which was not asked for")
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    for call in choice.delta.tool_calls or []:
                        known = tools.setdefault(call.index, ["", ""])
                        known[0] += call.function.name or ""
                        known[1] += call.function.arguments or ""
                    if stop_early:
                        return made(text)
    except openai.APIStatusError as error:
        return failed(error, error.status_code, error.response.headers, text=text)
    except Exception as error:
        return failed(error, text=text)
    return made(text, [[name, json.loads(arguments)] for name, arguments in tools.values()], counts)


def openai_responses(base):
    text = ""
    try:
        with openai_client(base).responses.stream(model="m", input="hello") as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    text += event.delta
            response = stream.get_final_response()
    except openai.APIStatusError as error:
        return failed(error, error.status_code, error.response.headers, text=text)
    except Exception as error:
        return failed(error, text=text)
    usage = response.usage
    counts = openai_counts(usage.input_tokens, usage.output_tokens, usage.input_tokens_details, usage.output_tokens_details)
    tools = [[item.name, json.loads(item.arguments)] for item in response.output if item.type == "function_call"]
    return made(response.output_text, tools, counts)


def google_stream(base, stop_early=False):
    options = types.HttpOptions(base_url=f"{base}/gemini", api_version="v1beta")
    client = genai.Client(api_key=KEY, http_options=options)
    text, tools, counts = "", [], None
    try:
        with closing(client.models.generate_content_stream(model="gemini-2.5-pro", contents="hello")) as stream:
            for chunk in stream:
                for candidate in chunk.candidates or []:
                    for part in (candidate.content and candidate.content.parts) or []:
                        if part.text and not part.thought:
                            text += part.text
                        if part.function_call:
                            tools.append([part.function_call.name, part.function_call.args])
                usage = chunk.usage_metadata
                if usage:
                    thoughts = usage.thoughts_token_count or 0
                    counts = {
                        "input": (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
                        "output": (usage.candidates_token_count or 0) + thoughts,
                        "cached": usage.cached_content_token_count or 0,
                        "reasoning": thoughts,
                    }
                if stop_early:
                    return made(text)
    except errors.APIError as error:
        headers = getattr(error.response, "headers", None)
        return failed(error, error.code, headers, text=text)
    except Exception as error:
        return failed(error, text=text)
    return made(text, tools, counts)


CALLS = {
    "anthropic": anthropic_stream,
    "anthropic, stopped": lambda base: anthropic_stream(base, stop_early=True),
    "openai chat": openai_chat,
    "openai chat, asking": lambda base: openai_chat(base, asks=True),
    "openai chat, stopped": lambda base: openai_chat(base, stop_early=True),
    "openai responses": openai_responses,
    "google": google_stream,
    "google, stopped": lambda base: google_stream(base, stop_early=True),
}

for line in sys.stdin:
    asked = json.loads(line)
    answer = CALLS[asked["call"]](asked["base"])
    # What was left open is let go, so that the vendor sees that the client has gone.
    gc.collect()
    print(json.dumps(answer), flush=True)
