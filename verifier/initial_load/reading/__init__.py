"""temporary"""
from verifier.initial_load import parser
from verifier.initial_load.reading.events import Rows, SetVal
import io
def esc(v):
    if v is None: return "\\N"
    return v.replace("\\","\\\\").replace("\t","\\t").replace("\n","\\n").replace("\r","\\r")
def read(path):
    for s in parser.read(path):
        if isinstance(s, parser.Insert):
            data = "".join("\t".join(map(esc,r))+"\n" for r in s.rows).encode()
            yield Rows(s.schema,s.table,s.columns,data,len(s.rows),s.line)
        elif isinstance(s, parser.SetVal):
            yield SetVal(s.sequence,s.value,s.called,s.line)
