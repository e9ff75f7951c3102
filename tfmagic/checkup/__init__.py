"""``tfmagic doctor``: what a bug report needs, and the likely causes of trouble in words.

Facts are gathered a section a file, each by itself, so that one that fails is said and the
others stand; `troubles` reads them and looks at nothing else; `page` draws both.
"""
