package config

import (
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/rosterd/rosterd/internal/mapping"
)

// MappingLine says where one attribute of members, or of teams, is taken from.
type MappingLine struct {
	Target, Source string
	Default        string // of members: what is written where the source gives nothing
	Empty          string // of members: EmptyKeep or EmptyClear; "" is the former
}

// What happens to what is stored where the source gives nothing.
const (
	EmptyKeep  = "keep"
	EmptyClear = "clear"
)

// BaseMapping is the mapping of a kind of connection before its own lines; false: it pulls from nothing.
func BaseMapping(k Kind) (mapping.Mapping, bool) {
	is, _ := kindOf(k)
	if !is.pulls() {
		return mapping.Mapping{}, false
	}
	return is.base(), true
}

// MappingOf is the mapping of a connection that was loaded: that of its kind, with its own lines and scope.
func (c *Connection) MappingOf() (mapping.Mapping, error) {
	m, _ := BaseMapping(c.Kind)
	for _, line := range c.Mapping {
		if err := m.Put(line.of()); err != nil {
			return m, err
		}
	}
	for _, line := range c.Teams {
		if err := m.WriteTeam(line.Target, line.Source); err != nil {
			return m, err
		}
	}
	return m, m.WriteScope(c.Scope)
}

func (l *MappingLine) of() mapping.Line {
	return mapping.Line{Target: l.Target, Source: l.Source, Default: l.Default, Clear: l.Empty == EmptyClear}
}

// readMapping reads the lines of a connection's mapping, each on top of its kind's, and its scope.
func (s *section) readMapping(c *Connection) {
	if _, known := kindOf(c.Kind); !known {
		return
	}
	m, pulls := BaseMapping(c.Kind)
	for _, key := range []string{"mapping", "scope"} {
		if v, ok := s.get(key); ok && !pulls {
			s.doc.problemf(v.line, "%s is for connections that rosterd pulls from, and kind %s is push only: take it out", key, c.Kind)
		}
	}
	if !pulls {
		return
	}
	if v, ok := s.get("mapping"); ok {
		targets := append(mapping.Targets(), mapping.Active)
		if lines := s.doc.section(v.node, "the mapping of "+s.name, append(slices.Clone(targets), "team")...); lines != nil {
			for _, target := range targets {
				lines.mappingLine(&m, target, s.name, c)
			}
			lines.teamLines(&m, s.name, c)
		}
	}
	if source, line, ok := s.text("scope"); ok {
		if err := m.WriteScope(source); err != nil {
			s.doc.problemf(line, "the scope of %s: %v", s.name, err)
			return
		}
		c.Scope = m.ScopeExpression()
	}
}

// mappingLine reads one line: a text, or settings of its own.
func (s *section) mappingLine(m *mapping.Mapping, target, of string, c *Connection) {
	v, ok := s.get(target)
	if !ok {
		return
	}
	l := MappingLine{Target: target}
	line := v.line
	switch v.node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		if !s.detailedLine(v, &l) {
			return
		}
	default:
		if l.Source, line, ok = s.text(target); !ok {
			return
		}
	}
	if err := m.Put(l.of()); err != nil {
		s.doc.problemf(line, "the mapping of %s: %v", of, err)
		return
	}
	c.Mapping = append(c.Mapping, l)
}

// detailedLine reads `title: { from: jobTitle, empty: clear, default: "..." }`.
func (s *section) detailedLine(v setting, l *MappingLine) bool {
	d := s.doc.section(v.node, l.Target+" in "+s.name, "from", "empty", "default")
	if d == nil {
		return false
	}
	before := len(s.doc.problems)
	d.required("from", &l.Source, "jobTitle", func(text string) (string, error) { return text, nil })
	d.checked("empty", &l.Empty, oneOf(EmptyKeep, EmptyClear))
	d.checked("default", &l.Default, func(text string) (string, error) { return text, nil })
	return len(s.doc.problems) == before
}

// teamLines reads the mapping of teams.
func (s *section) teamLines(m *mapping.Mapping, of string, c *Connection) {
	v, ok := s.get("team")
	if !ok {
		return
	}
	lines := s.doc.section(v.node, "the mapping of teams of "+of, mapping.TeamTargets()...)
	if lines == nil {
		return
	}
	for _, target := range mapping.TeamTargets() {
		source, line, ok := lines.text(target)
		if !ok {
			continue
		}
		if err := m.WriteTeam(target, source); err != nil {
			s.doc.problemf(line, "the mapping of teams of %s: %v", of, err)
			continue
		}
		c.Teams = append(c.Teams, MappingLine{Target: target, Source: source})
	}
}

// shownMapping is the mapping and the scope of a connection in the file's form.
func (c *Connection) shownMapping() yaml.MapSlice {
	var lines, teams, entry yaml.MapSlice
	for _, l := range c.Mapping {
		item := yaml.MapItem{Key: l.Target, Value: l.Source}
		if l.Default != "" || l.Empty != "" {
			item.Value = withoutEmpty("from", l.Source, "empty", l.Empty, "default", l.Default)
		}
		lines = append(lines, item)
	}
	for _, l := range c.Teams {
		teams = append(teams, yaml.MapItem{Key: l.Target, Value: l.Source})
	}
	if len(teams) > 0 {
		lines = append(lines, yaml.MapItem{Key: "team", Value: teams})
	}
	if len(lines) > 0 {
		entry = append(entry, yaml.MapItem{Key: "mapping", Value: lines})
	}
	return append(entry, withoutEmpty("scope", c.Scope)...)
}
