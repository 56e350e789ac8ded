"""The explorer: laws, their local and global denoisers and the CMI map on one page in the browser.

`scenes`, `study`, `moment` and `chain` compute with the library and know no page; `page` turns what
they return into HTML; `app` is the marimo notebook, layout only; `server` serves it. Only the last
two need the extra `course`.
"""
