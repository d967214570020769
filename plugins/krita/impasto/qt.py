"""Krita's module and the Qt that it is built with. The wrong PyQt can be installed too, and crashes."""

from __future__ import annotations

from importlib import import_module
from typing import Any

krita: Any = import_module("krita")
Krita: Any = krita.Krita

BINDING = "PyQt6" if int(Krita.instance().version().split(".")[0]) >= 6 else "PyQt5"
QtCore: Any = import_module(f"{BINDING}.QtCore")
QtGui: Any = import_module(f"{BINDING}.QtGui")
QtWidgets: Any = import_module(f"{BINDING}.QtWidgets")

Qt: Any = QtCore.Qt
USER_ROLE: Any = Qt.ItemDataRole.UserRole
