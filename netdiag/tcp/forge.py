"""The source of the hot loop -> an object file, by numba: some seconds, once a version.

The rule: what is compiled is the source that runs interpreted, unchanged: functions are compiled
with their own globals, in which only the functions they call are replaced by compiled ones. Nothing
is imported from here unless there is nothing kept; see native.py.
"""

# ruff: noqa: ANN001, ANN202, ANN401, PLR0913, PLR0917 -- numba has no types, and takes flat lists
from __future__ import annotations

import gc
import re
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from netdiag.errors import LabError
from netdiag.tcp import book, dissect, fields, places, scan
from netdiag.tcp.entry import ARGUMENTS, PORTS, REFILL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PACKAGE: Final = "netdiag.tcp"
LONG: Final = 32  # entries of a table that is looked up by index

# what the object file may ask of the process; all else would be numba's own, which is not there
KNOWN_SYMBOLS: Final = frozenset({"memset", "memcpy", "memmove"})

PASSES: Final = (  # what this source needs of numba's pipeline: a third of the time less
    ("untyped_passes", "TranslateByteCode"),
    ("untyped_passes", "FixupArgs"),
    ("untyped_passes", "IRProcessing"),
    ("untyped_passes", "ReconstructSSA"),
    ("typed_passes", "NopythonTypeInference"),
    ("typed_passes", "PreLowerStripPhis"),
    ("typed_passes", "NativeLowering"),  # in whose place stands _lowering's
    ("typed_passes", "NoPythonBackend"),
)


def compile_scan() -> bytes:
    """The entry's name, a line feed, and its object file. Raises LabError when numba cannot."""
    numba: Any = import_module("numba")
    types = numba.types
    ints, octets, number = types.CPointer(types.int64), types.CPointer(types.uint8), types.int64
    kinds = {"ints": ints, "octets": octets, "number": number}
    signature = number(*(kinds[kind] for kind in ARGUMENTS.values()))
    collecting = gc.isenabled()
    gc.disable()  # a twentieth of the time, and nothing here is garbage
    try:
        options = {
            "error_model": "numpy",
            "no_cpython_wrapper": True,
            "no_cfunc_wrapper": True,
            "pipeline_class": _pipeline(),
        }
        entry = numba.njit(signature, **options)(_entry(numba, options))
        (compiled,) = entry.overloads.values()
        name: str = compiled.fndesc.llvm_func_name
        return name.encode() + b"\n" + _polished(name, _modules(compiled.library, set()))
    except (AttributeError, TypeError, RuntimeError, numba.core.errors.NumbaError) as err:
        why = str(err).strip().partition("\n")[0] or type(err).__name__
        raise LabError(
            f"numba {numba.__version__} cannot compile the tracker ({why}); install another "
            "version of it, or none"
        ) from err
    finally:
        if collecting:
            gc.enable()


def _modules(library: Any, seen: set[int]) -> Iterator[str]:
    """LLVM's text of a function, then those it calls; each once, and callers first.

    That order matters to the linker, which takes a function only when it is asked for.
    """
    if id(library) in seen:
        return
    seen.add(id(library))
    gathered = getattr(library, "gathered", None)
    if gathered is None:
        yield str(library._get_module_for_linking())  # what numba itself wrote, calls included
        return
    yield from gathered
    for callee in library.callees:
        yield from _modules(callee, seen)


def _polished(entry: str, modules: Iterable[str]) -> bytes:
    """The object file of LLVM modules, as one piece of code with one entry.

    numba's functions are open to all and count references to their arrays; with one entry, and
    arrays that it does not own, both are in the way: without them it runs three times as fast.
    """
    binding: Any = import_module("llvmlite.binding")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    whole = binding.parse_assembly("")
    for text in modules:
        whole.link_in(binding.parse_assembly(_COUNTING.sub("", text)))
    for function in whole.functions:
        if not function.is_declaration and function.name != entry:
            function.linkage = "internal"
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
        reloc="default",
        codemodel="jitdefault",
        jit=True,
    )
    builder = binding.create_pass_builder(
        machine, binding.create_pipeline_tuning_options(speed_level=3)
    )
    builder.getModulePassManager().run(whole, builder)
    outside = {function.name for function in whole.functions if function.is_declaration}
    unknown = {name for name in outside if not name.startswith("llvm.")} - KNOWN_SYMBOLS
    if unknown:
        raise RuntimeError(f"it needs numba at run time: {', '.join(sorted(unknown))}")
    code: bytes = machine.emit_object(whole)
    return code


_COUNTING: Final = re.compile(r'^.*call void @"?NRT_(?:incref|decref)"?\(.*\n', re.M)


def _pipeline() -> Any:
    """A compiler of those passes alone."""
    compiler: Any = import_module("numba.core.compiler")
    machinery: Any = import_module("numba.core.compiler_machinery")
    passes = [
        _lowering(machinery)
        if name == "NativeLowering"
        else getattr(import_module(f"numba.core.{module}"), name)
        for module, name in PASSES
    ]

    def define_pipelines(_: Any) -> list[Any]:
        manager = machinery.PassManager("netdiag")
        for each in passes:
            manager.add_pass(each, each.__name__)
        manager.finalize()
        return [manager]

    return type("Lean", (compiler.CompilerBase,), {"define_pipelines": define_pipelines})


def _lowering(machinery: Any) -> Any:
    """The pass that writes LLVM's text, without making machine code of each function at once.

    numba optimises and links every function with all that it calls, to be called from Python; all
    of them together are optimised once, in _polished, and that halves the time.
    """
    codegen: Any = import_module("numba.core.codegen")
    lowering: Any = import_module("numba.core.typed_passes").NativeLowering
    make_function: Any = import_module("numba._dynfunc").make_function
    floating: Any = import_module("numba").types.Float

    class Gathering(codegen.CPUCodeLibrary):  # type: ignore[misc]
        def __init__(self, generator: Any, name: str) -> None:
            super().__init__(generator, name)
            self.gathered: list[str] = []
            self.callees: list[Any] = []

        def add_ir_module(self, module: Any) -> None:
            self.gathered.append(str(module))

        def add_linking_library(self, library: Any) -> None:
            library._ensure_finalized()
            self.callees.append(library)

        def _ensure_finalized(self) -> None:
            """Never: see _polished."""

    @machinery.register_pass(mutates_CFG=True, analysis_only=False)
    class Lowering(lowering):  # type: ignore[misc]
        _name = "netdiag_lowering"

        def run_pass(self, state: Any) -> bool:
            name = state.func_id.func_qualname
            state.library = Gathering(state.targetctx.codegen(), name)
            state.flags.no_compile = True
            if any(isinstance(kind, floating) for kind in state.typemap.values()):
                raise TypeError(f"{name} would reckon with floats, which lose digits")
            super().run_pass(state)
            made = state["cr"]
            module = made.fndesc.lookup_module()
            mark = make_function(module, name, "", 0, made.env, ())  # callers look it up by this
            state.targetctx.insert_user_function(mark, made.fndesc, [state.library])
            state["cr"] = made._replace(cfunc=mark)
            return True

    return Lowering


def _entry(numba: Any, options: dict[str, Any]) -> Callable[..., int]:
    """The function that others call: addresses become arrays."""
    jitted: dict[Any, Any] = {}
    run = _jitted(scan.scan, numba, options, jitted)
    again = _jitted(places.refill, numba, options, jitted)
    array = numba.carray
    state_size, book_size, row_size = fields.SIZE, book.BOOK, dissect.FIELDS

    def entry(  # type: ignore[no-untyped-def]
        work, walk, walks, wires, wires_size, ports, hosts, hosts_size, table, slots, states,
        books, most, rows, rows_size, rows_used, copies, copies_size, row, data, size, budget,
    ):  # fmt: skip
        slots_of = array(table, (slots,))
        books_of = array(books, (most, book_size))
        if work == REFILL:
            again(slots_of, books_of, budget)
            return 0
        return run(
            array(walk, (walks,)),
            array(wires, (wires_size,)),
            array(ports, (PORTS,)),
            array(hosts, (hosts_size,)),
            slots_of,
            array(states, (most, state_size)),
            books_of,
            array(rows, (rows_size,)),
            array(rows_used, (2,)),
            array(copies, (copies_size,)),
            array(row, (row_size,)),
            array(data, (size,)),
            size,
            budget,
        )

    return entry


def _jitted(
    function: Callable[..., object], numba: Any, options: dict[str, Any], made: dict[Any, Any]
) -> Any:
    """A function whose calls go to compiled ones; the module's own stay as they are."""
    assert isinstance(function, FunctionType)
    if function not in made:
        names = dict(function.__globals__)
        for name in function.__code__.co_names:
            value = names.get(name)
            if isinstance(value, FunctionType) and value.__module__.startswith(PACKAGE):
                names[name] = _jitted(value, numba, options, made)
            elif isinstance(value, tuple) and len(value) > LONG:
                names[name] = import_module("numpy").array(value)  # an index into it is one load
        copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
        made[function] = numba.njit(**options)(copy)
    return made[function]
