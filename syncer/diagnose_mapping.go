package syncer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/mapping"
)

// checkMapping compares where the job and the connection take each attribute from. It reports whether they agree.
//
//	| the job                      | the connection's mapping | then                                              |
//	|------------------------------|--------------------------|---------------------------------------------------|
//	| takes it from something else | writes it                | push and run undo each other: fail                |
//	| does not send it             | writes it                | it changes by runs only: warn                     |
//	| sends it                     | does not write it        | nothing: pushes alone write it                    |
//	| has a scoping filter         | follows it               | what can't be judged of it: warn                  |
//	| has a scoping filter         | has scope: assigned      | runs bring whom the job switches off: fail        |
func (d *diagnosis) checkMapping(schema *connectors.JobSchema) bool {
	well := true
	for i := range schema.Objects {
		o := &schema.Objects[i]
		if !o.Enabled || o.Kind == connectors.JobOther {
			continue
		}
		ours, what := sourcesOf(d.source.Mapping, o), "users"
		if o.Kind == connectors.JobGroups {
			what = "groups"
		}
		for _, path := range slices.Sorted(maps.Keys(ours)) {
			if !d.checkAttribute(o, what, path, ours[path]) {
				well = false
			}
		}
		if o.Kind == connectors.JobUsers && !d.checkActiveSource(o) {
			well = false
		}
		if len(o.Scope) > 0 && d.scope.Filtered {
			d.ok("scope", "the job lets only those "+what+" in of whom it holds that "+scopeText(o.Scope)+", and so do runs")
		} else if len(o.Scope) > 0 {
			d.fail("scope", "the job lets only those "+what+" in of whom it holds that "+scopeText(o.Scope)+": runs bring all who are assigned, and the job switches them off again",
				"take the scoping filter away in the portal (Provisioning, Mappings, "+what+", Source Object Scope), and assign only whom you mean; "+
					"or take scope: assigned out of the connection's settings, so that runs follow it")
			well = false
		}
	}
	for _, note := range d.scope.Notes {
		d.warn("scope", clean(note), "grant what is missing, or write the filter by an attribute and an operator that docs/entra.md lists")
		well = false
	}
	return well
}

// checkActiveSource compares what decides on active. Of a job that does not send it, or by what can't be translated, nothing is said.
func (d *diagnosis) checkActiveSource(o *connectors.JobObject) bool {
	theirs, ok := mapping.JobActive(o)
	m := d.source.Mapping
	ours := m.ActiveSource()
	if m.FollowsTheIdP() {
		ours = ""
	}
	if !ok || mapping.SameSource(theirs, ours) {
		return true
	}
	said := func(source string) string {
		if source == "" {
			return "whether they are in scope and enabled"
		}
		return bracketed(source)
	}
	d.fail("mapping", fmt.Sprintf("active of users: the job takes it from %s, this connection from %s; push and run undo each other",
		storable(said(theirs)), said(ours)),
		fmt.Sprintf("map it alike in the portal (Provisioning, Mappings, users), or this connection's mapping as the job's (rosterd connection import-mapping %s --org %s)",
			d.conn.Name, d.org))
	return false
}

func (d *diagnosis) checkAttribute(o *connectors.JobObject, what, path, source string) bool {
	const check = "mapping"
	there := fmt.Sprintf("in the portal (Provisioning, Mappings, %s)", what)
	for i := range o.Attributes {
		a := &o.Attributes[i]
		if !strings.EqualFold(a.Target, path) {
			continue
		}
		if a.Type == connectors.JobFromAttribute && strings.EqualFold(a.Source, source) {
			return true
		}
		if same, err := mapping.JobSource(a); err == nil && mapping.SameSource(same, source) {
			return true
		}
		theirs := a.Expression
		if theirs == "" {
			theirs = "[" + a.Source + "]"
		}
		or := fmt.Sprintf("this connection's mapping as the job's (rosterd connection import-mapping %s --org %s)", d.conn.Name, d.org)
		if o.Kind == connectors.JobGroups {
			or = "write the same below team: in this connection's mapping"
		}
		d.fail(check, fmt.Sprintf("%s of %s: the job takes it from %s, this connection from %s; push and run undo each other", path, what, storable(theirs), bracketed(source)),
			fmt.Sprintf("map it from %s %s, or %s", bracketed(source), there, or))
		return false
	}
	d.warn(check, fmt.Sprintf("%s of %s: the job does not send it, and this connection takes it from %s: it changes by runs only", path, what, bracketed(source)),
		fmt.Sprintf("map it from %s %s", bracketed(source), there))
	return false
}

// sourcesOf says what the connection writes each of ours from.
func sourcesOf(m mapping.Mapping, o *connectors.JobObject) map[string]string {
	if o.Kind == connectors.JobUsers {
		return m.Whole()
	}
	return m.Team
}

// bracketed is an attribute as Entra writes it; an expression stays as it is written here.
func bracketed(source string) string {
	if strings.HasPrefix(source, "=") {
		return source
	}
	return "[" + source + "]"
}

// scopeText says in words whom a filter lets in.
func scopeText(groups []connectors.JobScope) string {
	either := make([]string, len(groups))
	for i, g := range groups {
		all := make([]string, len(g.Clauses))
		for j, c := range g.Clauses {
			all[j] = strings.TrimSpace(c.Attribute + " " + c.Operator + " " + strings.Join(c.Values, ", "))
		}
		either[i] = strings.Join(all, " and ")
	}
	return storable(strings.Join(either, ", or "))
}
