"""``tfmagic doctor``: what a bug report needs, and the likely causes of trouble in words.

Each section of facts has its own file, so that one that fails is reported and the
others stand; `troubles` reads them and looks at nothing else; `page` draws both.
"""
