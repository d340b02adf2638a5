package entra

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/rosterd/rosterd/connectors"
)

// verdict is what a scoping filter makes of one object.
type verdict uint8

const (
	letIn verdict = iota
	keptOut
	unjudged // a clause can't be judged: it adds nobody and takes nobody away
)

// filter is the scoping filters of one kind of object: one of them has to let it in. None: everything is let in.
type filter []filterGroup

// filterGroup is one scoping filter: all of its clauses have to hold.
type filterGroup struct {
	name    string
	clauses []clause
}

// clause compares one attribute.
type clause struct {
	text      string
	attribute string // as Graph names it
	holds     func(value string) verdict
	why       string // why it can't be judged, whoever it is about; "": it can
}

// newFilter makes the filter of a job's scope. Known returns Graph's name of an attribute, or "" where it can't be read.
func newFilter(scopes []connectors.JobScope, known func(name string) string) filter {
	var out filter
	for _, s := range scopes {
		g := filterGroup{name: s.Name}
		for _, c := range s.Clauses {
			g.clauses = append(g.clauses, newClause(c, known))
		}
		out = append(out, g)
	}
	return out
}

// newClause follows the Entra documentation, "Scoping users or groups to be provisioned with scoping filters", and the
// names that Graph's page "synchronizationSchema: filterOperators" gives the operators.
func newClause(c connectors.JobClause, known func(string) string) clause {
	out := clause{text: clauseText(c), attribute: known(c.Attribute)}
	out.holds = func(string) verdict { return unjudged }
	if out.attribute == "" {
		out.why = fmt.Sprintf("the attribute %s can't be read", c.Attribute)
		return out
	}
	operator := strings.ToUpper(strings.Join(strings.Fields(strings.ReplaceAll(c.Operator, "_", " ")), " "))
	if holds, unary := unaryOperators()[operator]; unary {
		out.holds = truth(holds)
		return out
	}
	compare, binary := binaryOperators()[operator]
	switch {
	case !binary:
		out.why = fmt.Sprintf("the operator %s is not known", c.Operator)
	case len(c.Values) != 1:
		out.why = fmt.Sprintf("it compares with %d values, not with one", len(c.Values))
	default:
		holds, err := compare(c.Values[0])
		if err != nil {
			out.why = err.Error()
			return out
		}
		out.holds = func(value string) verdict {
			if value == "" { // "Scoping filters will return false if the value is null / empty"
				return keptOut
			}
			return holds(value)
		}
	}
	return out
}

func clauseText(c connectors.JobClause) string {
	quoted := make([]string, len(c.Values))
	for i, v := range c.Values {
		quoted[i] = strconv.Quote(v)
	}
	return strings.TrimSpace(c.Attribute + " " + c.Operator + " " + strings.Join(quoted, ", "))
}

// unaryOperators are those that compare with nothing.
func unaryOperators() map[string]func(value string) bool {
	return map[string]func(string) bool{
		"IS NULL":     func(v string) bool { return v == "" },
		"IS NOT NULL": func(v string) bool { return v != "" },
		"IS TRUE":     func(v string) bool { return strings.EqualFold(v, "true") },
		"IS FALSE":    func(v string) bool { return strings.EqualFold(v, "false") },
	}
}

// binaryOperators are those that compare with one value: case counts.
func binaryOperators() map[string]func(with string) (func(value string) verdict, error) {
	matching := func(want bool) func(string) (func(string) verdict, error) {
		return func(with string) (func(string) verdict, error) {
			// .NET's syntax is wider: of a pattern that can't be had here nothing is said.
			pattern, err := regexp.Compile(with)
			if err != nil {
				return nil, fmt.Errorf("the pattern can't be had here (%w)", err)
			}
			return truth(func(v string) bool { return pattern.MatchString(v) == want }), nil
		}
	}
	comparing := func(holds func(a, b int64) bool) func(string) (func(string) verdict, error) {
		return func(with string) (func(string) verdict, error) {
			limit, err := strconv.ParseInt(strings.TrimSpace(with), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%q is no integer", with)
			}
			return func(v string) verdict {
				n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
				if err != nil { // what Entra makes of it is not documented
					return unjudged
				}
				return truth(func(string) bool { return holds(n, limit) })(v)
			}, nil
		}
	}
	text := func(holds func(v, with string) bool) func(string) (func(string) verdict, error) {
		return func(with string) (func(string) verdict, error) {
			return truth(func(v string) bool { return holds(v, with) }), nil
		}
	}
	return map[string]func(string) (func(string) verdict, error){
		"EQUALS":                 text(func(v, with string) bool { return v == with }),
		"NOT EQUALS":             text(func(v, with string) bool { return v != with }),
		"INCLUDES":               text(strings.Contains),
		"ENDS WITH":              endsWith,
		"REGEX MATCH":            matching(true),
		"NOT REGEX MATCH":        matching(false),
		"GREATER THAN":           comparing(func(a, b int64) bool { return a > b }),
		"GREATER THAN OR EQUALS": comparing(func(a, b int64) bool { return a >= b }),
	}
}

// endsWith: the documentation does not say whether case counts, so an end that differs in nothing else is not judged.
func endsWith(with string) (func(string) verdict, error) {
	return func(v string) verdict {
		switch {
		case strings.HasSuffix(v, with):
			return letIn
		case strings.HasSuffix(strings.ToLower(v), strings.ToLower(with)):
			return unjudged
		}
		return keptOut
	}, nil
}

func truth(holds func(string) bool) func(string) verdict {
	return func(v string) verdict {
		if holds(v) {
			return letIn
		}
		return keptOut
	}
}

// judge says what the filter makes of an object with these attributes, and, of one that it keeps out, why in words.
func (f filter) judge(value func(attribute string) string) (v verdict, why string) {
	if len(f) == 0 {
		return letIn, ""
	}
	v = keptOut
	var failed []string
	for _, g := range f {
		is, c := g.judge(value)
		switch is {
		case letIn:
			return letIn, ""
		case unjudged:
			v = unjudged
		case keptOut:
			failed = append(failed, fmt.Sprintf("%s (filter %s)", c, cmp.Or(g.name, "without a title")))
		}
	}
	const most = 3
	if len(failed) > most {
		failed = append(failed[:most], "and so on")
	}
	return v, "out of the provisioning job's scope, as this does not hold: " + strings.Join(failed, "; ")
}

// judge returns the first clause that does not hold as well.
func (g filterGroup) judge(value func(string) string) (verdict, string) {
	v := letIn
	for i := range g.clauses {
		switch c := &g.clauses[i]; c.holds(value(c.attribute)) {
		case letIn:
		case keptOut:
			return keptOut, c.text
		case unjudged:
			v = unjudged
		}
	}
	return v, ""
}

// attributes are those that the filter's clauses compare, as Graph names them.
func (f filter) attributes() []string {
	var out []string
	for _, g := range f {
		for i := range g.clauses {
			if a := g.clauses[i].attribute; a != "" {
				out = append(out, a)
			}
		}
	}
	return distinct(out)
}

// doubts says which clauses can't be judged, and why.
func (f filter) doubts(what string) []string {
	var out []string
	for _, g := range f {
		for i := range g.clauses {
			if c := &g.clauses[i]; c.why != "" {
				out = append(out, fmt.Sprintf("The scoping filter for %s has a clause that can't be judged, %s: %s. "+
					"Where it decides, nobody new is added and nobody is removed", what, c.text, c.why))
			}
		}
	}
	return out
}
