package main

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// sourceOf is what a line of a mapping takes its attribute from: its text, or, of one that has settings, from; a default is
// written as a job's is, by Coalesce.
func sourceOf(s *ast.MappingValueNode) (string, bool) {
	settings, _ := settingsOf(s)
	if settings["from"] == nil {
		return textOf(s)
	}
	source, ok := textOf(settings["from"])
	if value, has := textOf(settings["default"]); ok && has && value != "" {
		source = "= Coalesce(" + strings.TrimPrefix(source, "= ") + ", " + strconv.Quote(value) + ")"
	}
	return source, ok
}

// fromOf is the setting that holds a line's source. With a default it is the line itself, which is then no plain text: the
// two can't be changed by changing one value.
func fromOf(s *ast.MappingValueNode) *ast.MappingValueNode {
	settings, _ := settingsOf(s)
	if settings["from"] == nil || settings["default"] != nil {
		return s
	}
	return settings["from"]
}
