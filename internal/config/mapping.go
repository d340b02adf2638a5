package config

import "github.com/rosterd/rosterd/internal/mapping"

// MappingLine says where one attribute of members is taken from.
type MappingLine struct{ Target, Source string }

// BaseMapping is the mapping of a kind of connection before its own lines; false: it pulls from nothing.
func BaseMapping(k Kind) (mapping.Mapping, bool) {
	is, _ := kindOf(k)
	if !is.pulls() {
		return mapping.Mapping{}, false
	}
	return is.base(), true
}

// MappingOf is the mapping of a connection that was loaded: that of its kind, with its own lines.
func (c *Connection) MappingOf() (mapping.Mapping, error) {
	m, _ := BaseMapping(c.Kind)
	for _, line := range c.Mapping {
		if err := m.Write(line.Target, line.Source); err != nil {
			return m, err
		}
	}
	return m, nil
}

// readMapping reads the lines of a connection's mapping, each on top of its kind's.
func (s *section) readMapping(c *Connection) {
	v, ok := s.get("mapping")
	if _, known := kindOf(c.Kind); !ok || !known {
		return
	}
	m, pulls := BaseMapping(c.Kind)
	if !pulls {
		s.doc.problemf(v.line, "mapping is for connections that rosterd pulls from, and kind %s is push only: take it out", c.Kind)
		return
	}
	lines := s.doc.section(v.node, "the mapping of "+s.name, mapping.Targets()...)
	if lines == nil {
		return
	}
	for _, target := range mapping.Targets() {
		source, line, ok := lines.text(target)
		if !ok {
			continue
		}
		if err := m.Write(target, source); err != nil {
			s.doc.problemf(line, "the mapping of %s: %v", s.name, err)
			continue
		}
		c.Mapping = append(c.Mapping, MappingLine{target, source})
	}
}
