package mapping

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
)

// Active is the target that says whether somebody is enabled. Without a line for it that is what the IdP says.
const Active = "active"

// Scope is how Explain calls the condition of who is in scope.
const Scope = "scope"

// condition decides about a person.
type condition struct {
	source  string // an attribute's name, or "= " and an expression
	program *Expression
}

// newCondition compiles what must give true or false. A text that says True or False will do, as Entra's functions and
// attributes give those.
func newCondition(source string, known func(string) error) (*condition, error) {
	text, isExpression := strings.CutPrefix(strings.TrimSpace(source), "=")
	if !isExpression {
		if strings.EqualFold(source, isTrue) || strings.EqualFold(source, isFalse) {
			return nil, fmt.Errorf("%q is no attribute's name: for everybody alike write %q", source, "= "+strings.ToLower(source))
		}
		if err := checkSource(source, known); err != nil {
			return nil, err
		}
		return &condition{source: source}, nil
	}
	e, err := NewExpression(text, known)
	if err == nil && e.gives == number {
		err = &SyntaxError{1, "it is a number, and true or false is wanted: compare it with something"}
	}
	if err != nil {
		return nil, fmt.Errorf("in the expression, %w", err)
	}
	c := &condition{source: "= " + strings.TrimSpace(text), program: e}
	if len(e.sources) == 0 { // the same for everybody: its mistake needs no run to be found
		if _, err := c.holds(func(string) string { return "" }); err != nil {
			return nil, fmt.Errorf("in the expression, %w", &SyntaxError{1, err.Error()})
		}
	}
	return c, nil
}

func (c *condition) sources() []string {
	switch {
	case c == nil:
		return nil
	case c.program == nil:
		return []string{c.source}
	}
	return c.program.Sources()
}

// holds works the condition out. What is neither true nor false is an error: a missing value must decide nothing.
func (c *condition) holds(get func(string) string) (bool, error) {
	var v any
	if c.program == nil {
		v = get(c.source)
	} else {
		var err error
		if v, err = c.program.value(get); err != nil {
			return false, err
		}
	}
	if b, ok := v.(bool); ok {
		return b, nil
	}
	switch s := asText(v); {
	case strings.EqualFold(s, isTrue):
		return true, nil
	case strings.EqualFold(s, isFalse):
		return false, nil
	case s == "":
		return false, errors.New("it gives nothing, where True or False is wanted")
	default:
		return false, fmt.Errorf("it gives %.60q, where True or False is wanted", s)
	}
}

// WriteScope sets who of those in scope for the IdP is in scope here: an expression that gives true or false, with or
// without "=" before it; "" takes it away.
func (m *Mapping) WriteScope(source string) error {
	text := strings.TrimSpace(source)
	if text == "" {
		m.scope = nil
		return nil
	}
	if !strings.HasPrefix(text, "=") || strings.HasPrefix(text, "==") {
		text = "= " + text
	}
	c, err := newCondition(text, m.known)
	if err != nil {
		return err
	}
	m.scope = c
	return nil
}

// ScopeExpression is the expression of who is in scope, after "= "; empty: whoever the IdP has in scope.
func (m Mapping) ScopeExpression() string { return m.scope.text() }

// ActiveSource is what decides whether somebody is enabled: an attribute's name, or "= " and an expression; empty: the IdP.
func (m Mapping) ActiveSource() string { return m.active.text() }

func (c *condition) text() string {
	if c == nil {
		return ""
	}
	return c.source
}

func (m *Mapping) writeActive(l Line) error {
	switch {
	case l.Source == None:
		return fmt.Errorf("%s can't be %s: leave the line out, and it is what the identity provider says", Active, None)
	case l.Default != "" || l.Clear:
		return fmt.Errorf("%s takes neither a default nor empty: where it gives nothing, the person stays as they are", Active)
	}
	c, err := newCondition(l.Source, m.known)
	if err != nil {
		return fmt.Errorf("%s: %w", Active, err)
	}
	m.active = c
	return nil
}

// decide says by the two conditions who is in scope and enabled, of somebody whom the IdP has not said to be gone. One that
// can't be worked out leaves the person as they are.
//
//	| scope | active | then                                                  |
//	|-------|--------|-------------------------------------------------------|
//	| false | any    | gone, in words that name the expression               |
//	| error | any    | kept as they are, with a Problem                      |
//	| true  | error  | the same                                              |
//	| true  | true   | on; kept, where the connector says to keep them       |
//	| true  | false  | off, in words that name the expression; kept likewise |
//	| true  | none   | what the IdP says                                     |
func (m *Mapping) decide(w *roster.WantedMember, get func(string) string) {
	if m.scope != nil {
		in, err := m.scope.holds(get)
		switch {
		case err != nil:
			stay(w, Scope, err)
			return
		case !in:
			w.Off = "the connection's scope leaves them out, which is " + quoted(m.scope.source)
			w.Gone, w.OutOfScope = w.Off, w.Enabled || w.Keep
			w.Enabled, w.Keep = false, false
			return
		}
	}
	if m.active == nil {
		return
	}
	on, err := m.active.holds(get)
	switch {
	case err != nil:
		stay(w, Active, err)
	case !on && w.Enabled:
		w.Off = "the connection's mapping of active gives False, which is " + quoted(m.active.source)
	}
	if err == nil && !w.Keep {
		w.Enabled = on
	}
}

// stay leaves a person as they are here.
func stay(w *roster.WantedMember, what string, err error) {
	w.Enabled, w.Keep = false, true
	problem(w, what, err)
}

func problem(w *roster.WantedMember, what string, err error) {
	w.Problem = strings.TrimPrefix(w.Problem+"; "+what+": "+err.Error(), "; ")
}

// quoted is a source as messages show it.
func quoted(source string) string { return "`" + strings.TrimPrefix(source, "= ") + "`" }

// FollowsTheIdP reports whether what decides on active is what the IdP says anyhow, as Entra's stock
// Switch([IsSoftDeleted], , "False", "True", "True", "False") and Not([IsSoftDeleted]) do.
func (m Mapping) FollowsTheIdP() bool {
	if m.active == nil {
		return true
	}
	for _, name := range m.active.sources() {
		if m.states[name] == nil {
			return false
		}
	}
	for _, enabled := range []bool{true, false} {
		if on, err := m.active.holds(m.reader(&connectors.User{Enabled: enabled})); err != nil || on != enabled {
			return false
		}
	}
	return true
}
