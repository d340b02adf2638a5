package scim

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Limits on a filter. They keep parsing, and what a filter may cost a database, within bounds.
const (
	MaxFilterLength = 8 << 10 // bytes
	MaxFilterDepth  = 50      // parentheses and "not" within each other
	MaxFilterTerms  = 256     // comparisons
)

// Filter is a parsed filter (RFC 7644, section 3.4.2.2): one of And, Or, Not, Compare, Present and ValuePath. Its
// String is a filter that parses to the same.
type Filter interface {
	fmt.Stringer
	filter()
}

// And matches what all its terms match; it has at least two.
type And struct{ Terms []Filter }

// Or matches what any of its terms matches; it has at least two.
type Or struct{ Terms []Filter }

// Not matches what its term doesn't.
type Not struct{ Term Filter }

// Compare matches a resource of whose values at Path at least one compares so with Value. A resource without any value
// there matches NotEqual only.
type Compare struct {
	Path Path // of a simple attribute: a complex one stands for its sub-attribute "value"
	Op   CompareOp
	// Value is a string, bool or json.Number, of the attribute's type where the path is known. It is never null:
	// `eq null` is parsed to Not{Present}, `ne null` to Present (RFC 7643, section 2.5).
	Value any
}

// Present matches a resource with a value at Path that is not empty (the operator "pr").
type Present struct{ Path Path }

// ValuePath matches a resource if one single value of the multi-valued attribute matches the whole filter. Paths in
// the filter are of sub-attributes of the same attribute, and hold its name too. The form attr[filter].sub op value is
// parsed to a ValuePath with the comparison as a further term.
type ValuePath struct {
	Path   Path
	Filter Filter
}

// CompareOp is an attribute operator (RFC 7644, section 3.4.2.2, table 3), in lower case.
type CompareOp string

// The operators of RFC 7644, section 3.4.2.2, table 3, but for "pr".
const (
	Equal          CompareOp = "eq"
	NotEqual       CompareOp = "ne"
	Contains       CompareOp = "co"
	StartsWith     CompareOp = "sw"
	EndsWith       CompareOp = "ew"
	Greater        CompareOp = "gt"
	GreaterOrEqual CompareOp = "ge"
	Less           CompareOp = "lt"
	LessOrEqual    CompareOp = "le"
)

func (op CompareOp) valid() bool {
	switch op {
	case Equal, NotEqual, Contains, StartsWith, EndsWith, Greater, GreaterOrEqual, Less, LessOrEqual:
		return true
	}
	return false
}

func (op CompareOp) ordering() bool {
	return op == Greater || op == GreaterOrEqual || op == Less || op == LessOrEqual
}

func (op CompareOp) substring() bool { return op == Contains || op == StartsWith || op == EndsWith }

func (And) filter()       {}
func (Or) filter()        {}
func (Not) filter()       {}
func (Compare) filter()   {}
func (Present) filter()   {}
func (ValuePath) filter() {}

// String implements Filter.
func (f And) String() string { return joinTerms(f.Terms, " and ") }

// String implements Filter.
func (f Or) String() string { return joinTerms(f.Terms, " or ") }

// String implements Filter.
func (f Not) String() string { return "not (" + f.Term.String() + ")" }

// String implements Filter.
func (f Present) String() string { return f.Path.String() + " pr" }

// String implements Filter.
func (f Compare) String() string {
	value, err := json.Marshal(f.Value)
	if err != nil {
		value = []byte(fmt.Sprint(f.Value))
	}
	return fmt.Sprintf("%s %s %s", f.Path, f.Op, value)
}

// String implements Filter.
func (f ValuePath) String() string { return f.Path.String() + "[" + innerString(f.Filter) + "]" }

// innerString writes a value filter, in which names are those of sub-attributes.
func innerString(f Filter) string {
	switch f := f.(type) {
	case And:
		return joinInner(f.Terms, " and ")
	case Or:
		return joinInner(f.Terms, " or ")
	case Not:
		return "not (" + innerString(f.Term) + ")"
	case Present:
		return f.Path.Sub + " pr"
	case Compare:
		return Compare{Path: Path{Attr: f.Path.Sub}, Op: f.Op, Value: f.Value}.String()
	}
	return f.String()
}

func joinTerms(terms []Filter, sep string) string { return join(terms, sep, Filter.String) }

func joinInner(terms []Filter, sep string) string { return join(terms, sep, innerString) }

func join(terms []Filter, sep string, text func(Filter) string) string {
	parts := make([]string, len(terms))
	for i, f := range terms {
		parts[i] = text(f)
		switch f.(type) {
		case And, Or:
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, sep)
}
