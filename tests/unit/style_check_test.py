#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Every rule of tools/style-check fires on a file that breaks it, and stays quiet on one that does not.
#
#   style_check_test.py STYLE_CHECK

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import sys
import tempfile

SPDX = '// SPDX-License-Identifier: BSD-3-Clause\n'
GOOD_C = SPDX + '#include <errno.h>\n#include "parsers/a.h"\n\nint f(void)\n{\n\treturn 0;\n}\n'
LONG_C = SPDX + 'int f(void)\n{\n' + '\tg();\n' * 70 + '}\n'
MESON = '''# SPDX-License-Identifier: BSD-3-Clause
yaml = dependency('yaml-0.1')  # in parsers/config.c only
uring = dependency('liburing') # in drivers/*_uring.c only
'''

# Path, text, what the finding says ('' for none).
CASES = (
    ('parsers/a.c', GOOD_C, ''),
    ('parsers/a.c', GOOD_C + '\tputs("/* strcpy(a, b) */"); // see RFC 9293, strcpy(a) is bad\n', ''),
    ('parsers/a.c', GOOD_C[3:], 'first line'),
    ('parsers/a.h', SPDX + 'int f(void);\n', '#pragma once'),
    ('parsers/a.c', GOOD_C + '//' + 'x' * 98 + '\n', ''),
    ('parsers/a.c', GOOD_C + '//' + 'x' * 99 + '\n', '100 columns'),
    ('parsers/a.c', GOOD_C + '\t' * 12 + 'f(aa);\n', '100 columns'),
    ('parsers/a.c', GOOD_C + '    int b;\n', 'indent with tabs'),
    ('parsers/a.c', GOOD_C + 'int b; \n', 'blanks'),
    ('parsers/a.c', GOOD_C + '/* b */\n', 'comments are //'),
    ('parsers/a.c', GOOD_C + '// fixes #' + '12\n', 'issue'),
    ('parsers/a.c', GOOD_C + 'x = "#' + '12";\n', ''),
    ('parsers/a.c', GOOD_C + 'int b;', 'newline'),
    ('parsers/a.c', LONG_C, 'function of 72'),
    ('parsers/a.c', LONG_C.replace('\tg();\n', '', 2), ''),
    ('parsers/a.c', SPDX + 'int a;\n' * 700, 'file of 701'),
    ('parsers/b.c', GOOD_C, 'meson.build'),
    ('parsers/a.c', GOOD_C + '#include "drivers/a.h"\n', 'parsers does not include'),
    ('drivers/a.c', GOOD_C, 'drivers does not include'),
    ('drivers/a.c', SPDX + '#include "parsers/span.h"\n', ''),
    ('dataplane/a.c', GOOD_C + '#include "drivers/a.h"\n', ''),
    ('dataplane/a.c', GOOD_C + '#include "ctrl/a.h"\n', 'dataplane does not include'),
    ('dataplane/contract/a.c', GOOD_C + '#include "drivers/a.h"\n', 'does not include'),
    ('ctrl/a.c', GOOD_C + '#include "dataplane/contract/a.h"\n', ''),
    ('ctrl/a.c', GOOD_C + '#include "dataplane/log/a.h"\n', 'ctrl does not include'),
    ('ctrl/a.c', GOOD_C + '#include "a.h"\n', 'path from the root'),
    ('parsers/a.c', GOOD_C + '#include <yaml.h>\n', 'parsers/config.c only'),
    ('drivers/a.c', SPDX + '#include <liburing.h>\n', '_uring.c only'),
    ('drivers/a.c', SPDX + '#include <rte_ethdev.h>\n', 'dpdk'),
    ('parsers/a.c', GOOD_C + '#include <jansson.h>\n', 'ctrl/* only'),
    ('ctrl/a.c', GOOD_C + '#include <jansson.h>\n', ''),
    ('tests/a.c', GOOD_C + '#include <yaml.h>\n', ''),
    ('parsers/a.c', GOOD_C + '\tstrcpy(a, b);\n', 'strcpy()'),
    ('dataplane/a.c', GOOD_C + '\tsprintf(a, b);\n', 'sprintf()'),
    ('dataplane/a.c', GOOD_C + '\tsnprintf(a, 1, b);\n', ''),
    ('dataplane/a.c', GOOD_C + '\tx->gets(a);\n', ''),
    ('parsers/a.c', GOOD_C + '\tx = time(NULL);\n', 'time()'),
    ('dataplane/a.c', GOOD_C + 'static __thread int a;\n', 'thread locals'),
    ('tests/a.c', GOOD_C + '\tsleep(1);\n', 'sleep()'),
    ('parsers/a.c', GOOD_C + '// see /wo' + 'rk/here\n', 'one machine'),
    ('tests/meson.build', "# '-Wl,--wr" + "ap=open'\n", 'linker'),
    ('tools/tool', '#!/bin/sh\necho\n', 'SPDX'),
)


def findings(tool, path, text):
    with tempfile.TemporaryDirectory() as root:
        files = {'meson.build': MESON, path: text}
        folder = os.path.dirname(path)
        files.setdefault(f'{folder}/meson.build', "files('a.c')\n")
        for name, body in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            with open(os.path.join(root, name), 'w', encoding='utf-8') as f:
                f.write(body)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            status = tool.check(root)
        assert status == (1 if said.getvalue() else 0), status
        return said.getvalue()


def load(path):
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader('style_check', path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('style_check', loader))
    loader.exec_module(module)
    return module


def main():
    failed, tool = 0, load(sys.argv[1])
    for path, text, want in CASES:
        got = findings(tool, path, text)
        ok = got == '' if not want else want in got and got.count('\n') == 1
        if not ok:
            print(f'{path}: wanted "{want}", got "{got}" for\n{text[-200:]}')
            failed += 1
    sys.exit(1 if failed else 0)


main()
