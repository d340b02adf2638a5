package mapping

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
)

// FromJob translates how Entra's provisioning job maps a user into lines of a connection's mapping, in the job's order. A
// run that has those lines writes what the job writes: what can't be translated is left to the pushes, as is what the job
// sends with the creation only, and what only the kind's own mapping has.
func FromJob(o *connectors.JobObject) roster.JobMapping {
	var out roster.JobMapping
	own, seen := Entra(), map[string]bool{}
	leave := func(target, from, why string) {
		out.Left = append(out.Left, roster.JobMappingLeft{Target: target, From: from, Why: why})
		if _, has := own.Member[target]; has && target != roster.AttrUserName {
			out.Lines = append(out.Lines, roster.JobMappingLine{Target: target, Source: None, From: from})
		}
	}
	for i := range o.Attributes {
		a := &o.Attributes[i]
		target, from := targetOf(a.Target), storable(written(a))
		switch {
		case strings.EqualFold(target, Active):
			if seen[Active] {
				out.Left = append(out.Left, roster.JobMappingLeft{Target: Active, From: from, Why: "the job maps it a second time: the first counts"})
			} else if source, why := jobActive(a); why != "" {
				out.Left = append(out.Left, roster.JobMappingLeft{Target: Active, From: from,
					Why: why + "; who is in scope and enabled in Entra is active here"})
			} else if source != "" {
				out.Lines = append(out.Lines, roster.JobMappingLine{Target: Active, Source: source, From: from})
			}
			seen[Active] = true
			continue
		case !slices.Contains(Targets(), target):
			out.Left = append(out.Left, roster.JobMappingLeft{Target: storable(a.Target), From: from, Why: "runs don't write it: pushes alone do"})
			continue
		case seen[target]:
			out.Left = append(out.Left, roster.JobMappingLeft{Target: target, From: from, Why: "the job maps it a second time: the first counts"})
			continue
		}
		seen[target] = true
		if a.OnCreate {
			leave(target, from, "the job sends it with the creation only, and a run would keep it so")
			continue
		}
		source, err := JobSource(a)
		if err == nil {
			trial := Entra()
			err = trial.Write(target, source)
		}
		if syntax := new(SyntaxError); errors.As(err, &syntax) { // its place is one in what was translated
			err = errors.New(syntax.Message)
		}
		if err != nil {
			leave(target, from, err.Error())
			continue
		}
		out.Lines = append(out.Lines, roster.JobMappingLine{Target: target, Source: source, From: from})
	}
	for _, target := range own.Managed() {
		if seen[target] {
			continue
		}
		if target == roster.AttrUserName {
			out.Left = append(out.Left, roster.JobMappingLeft{Target: target, Why: "the job does not send it, and a member has to have one"})
			continue
		}
		out.Lines = append(out.Lines, roster.JobMappingLine{Target: target, Source: None, Unsent: true})
	}
	return out
}

// JobActive is what a job decides on active by, as a mapping here is told it; empty: it is what holds here without a line.
// False: the job does not send it, or it can't be translated.
func JobActive(o *connectors.JobObject) (source string, ok bool) {
	for i := range o.Attributes {
		if a := &o.Attributes[i]; strings.EqualFold(targetOf(a.Target), Active) {
			source, why := jobActive(a)
			return source, why == ""
		}
	}
	return "", false
}

// jobActive is JobActive of one attribute, with why it can't be had.
func jobActive(a *connectors.JobAttribute) (source, why string) {
	if a.OnCreate {
		return "", "the job sends it with the creation only"
	}
	source, err := JobSource(a)
	trial := Entra()
	if err == nil {
		err = trial.Write(Active, source)
	}
	switch syntax := new(SyntaxError); {
	case errors.As(err, &syntax): // its place is one in what was translated
		return "", syntax.Message
	case err != nil:
		return "", strings.TrimPrefix(err.Error(), Active+": ")
	case trial.FollowsTheIdP():
		return "", ""
	}
	return source, ""
}

// stockActive is what Entra's own table has for active, as it is written here.
const stockActive = `= Switch(isSoftDeleted, "", "False", "True", "True", "False")`

// FromJob is FromJob for a connection that has this mapping: where the job decides on active as a connection without a line for
// it does, and this one has another, there is a line too.
func (m Mapping) FromJob(o *connectors.JobObject) roster.JobMapping {
	out := FromJob(o)
	if source, ok := JobActive(o); ok && source == "" && !m.FollowsTheIdP() {
		for i := range o.Attributes {
			if a := &o.Attributes[i]; strings.EqualFold(targetOf(a.Target), Active) {
				out.Lines = append(out.Lines, roster.JobMappingLine{Target: Active, Source: stockActive, From: storable(written(a))})
				break
			}
		}
	}
	return out
}

// JobSource is what a job takes an attribute from, as a mapping here is told it.
func JobSource(a *connectors.JobAttribute) (string, error) {
	source, err := translate(written(a))
	if err != nil {
		return "", err
	}
	if a.Default != "" {
		source = "= Coalesce(" + strings.TrimPrefix(source, "= ") + ", " + strconv.Quote(storable(a.Default)) + ")"
	}
	return source, nil
}

// written is the source of an attribute as Entra writes it.
func written(a *connectors.JobAttribute) string {
	switch {
	case a.Type == connectors.JobFromConstant && !strings.HasPrefix(a.Expression, `"`):
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(a.Source) + `"`
	case a.Expression != "":
		return a.Expression
	}
	return "[" + a.Source + "]"
}

// SameSource reports whether two sources of a mapping are the same but for the spelling of functions, spaces and quotes.
func SameSource(a, b string) bool { return plain(a) == plain(b) }

func plain(source string) string {
	text, isExpression := strings.CutPrefix(strings.TrimSpace(source), "=")
	if !isExpression {
		return strings.TrimSpace(source)
	}
	tree, err := parse(text)
	if err != nil {
		return text
	}
	ast.Walk(&tree.Node, &names{})
	return tree.Node.String()
}

// targetOf is a target's name here: SCIM's names are the same in any case (RFC 7643, section 2.1), and those of the core
// schema may stand after its URN (RFC 7644, section 3.10).
func targetOf(name string) string {
	const core = "urn:ietf:params:scim:schemas:core:2.0:User:"
	if len(name) > len(core) && strings.EqualFold(name[:len(core)], core) {
		name = name[len(core):]
	}
	for _, known := range Targets() {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return name
}
