package config

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// MatchRules are the rules by which a person of an identity provider is linked to a member for the first time, in the order
// in which they are tried.
func MatchRules() []string { return []string{"id", "externalId", "userName", "email"} }

// readMatch reads which of the rules a connection uses. Their order is fixed: what names somebody more surely is tried first.
func (s *section) readMatch(c *Connection) {
	v, ok := s.get("match")
	if !ok {
		return
	}
	rules := MatchRules()
	given := []string{}
	s.entries("match", "- userName", func(node ast.Node) {
		text, isText := scalar(node)
		switch {
		case !isText || !slices.Contains(rules, text):
			s.doc.problemf(lineOf(node), "match: %q is no rule: write some of %s", text, strings.Join(rules, ", "))
		case slices.Contains(given, text):
			s.doc.problemf(lineOf(node), "match has %s twice: take one out", text)
		default:
			given = append(given, text)
		}
	})
	if _, isList := v.node.(*ast.SequenceNode); isList && len(given) == 0 {
		s.doc.problemf(v.line, "match is empty, so nobody who is here already would ever be linked: write some of %s, or take it out", strings.Join(rules, ", "))
	}
	for _, rule := range rules {
		if slices.Contains(given, rule) {
			c.Match = append(c.Match, rule)
		}
	}
}
