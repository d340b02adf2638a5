package syncer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
)

// checkMapping compares where the job and the connection take each attribute from. It reports whether they agree.
//
//	| the job                      | the connection's mapping | then                                              |
//	|------------------------------|--------------------------|---------------------------------------------------|
//	| takes it from something else | writes it                | push and run undo each other: fail                |
//	| does not send it             | writes it                | it changes by runs only: warn                     |
//	| sends it                     | does not write it        | nothing: pushes alone write it                    |
//	| has a scoping filter         | has none                 | runs bring whom the job switches off: fail        |
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
		if len(o.Scope) > 0 {
			d.fail("scope", "the job lets only those "+what+" in of whom it holds that "+scopeText(o.Scope)+": runs bring all who are assigned, and the job switches them off again",
				"take the scoping filter away in the portal (Provisioning, Mappings, "+what+", Source Object Scope), and assign only whom you mean")
			well = false
		}
	}
	return well
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
		d.fail(check, fmt.Sprintf("%s of %s: the job takes it from %s, this connection from %s; push and run undo each other", path, what, storable(theirs), bracketed(source)),
			fmt.Sprintf("map it from %s %s, or this connection's mapping as the job's (rosterd connection import-mapping %s --org %s)", bracketed(source), there, d.conn.Name, d.org))
		return false
	}
	d.warn(check, fmt.Sprintf("%s of %s: the job does not send it, and this connection takes it from %s: it changes by runs only", path, what, bracketed(source)),
		fmt.Sprintf("map it from %s %s", bracketed(source), there))
	return false
}

// sourcesOf says what the connection writes each of ours from. Of groups it asks the mapping itself, with one whose
// attributes have their own names for values.
func sourcesOf(m mapping.Mapping, o *connectors.JobObject) map[string]string {
	if o.Kind == connectors.JobUsers {
		return m.Member
	}
	names := map[string]string{}
	for _, name := range []string{"displayName", "mailNickname", "mail", "description"} {
		names[name] = name
	}
	w := m.ToTeam(&connectors.Group{ObjectID: mapping.ObjectID, Attributes: names}, 0)
	out := map[string]string{roster.AttrDisplayName: w.DisplayName, roster.AttrExternalID: w.ExternalID}
	for path, source := range out {
		if source == "" { // not mapped
			delete(out, path)
		}
	}
	return out
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
