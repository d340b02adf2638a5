package syncer

import (
	"context"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
)

// checkSchema compares how the job maps with how the connection does, so that push and pull don't fight.
func (d *diagnosis) checkSchema(ctx context.Context, job *connectors.Job) {
	reader, ok := d.source.Reader.(connectors.JobSchemaReader)
	if !ok {
		return
	}
	const check = "mapping"
	schema, err := reader.JobSchema(ctx, job.ID)
	if err != nil {
		state := roster.FindingFail
		if connectors.FaultOf(err) == connectors.MissingPermission {
			state = roster.FindingWarn
		}
		d.failed(check, state, err)
		return
	}
	if rules, ok := d.source.Reader.(connectors.ScopeReader); ok {
		if is, err := rules.Scope(ctx); err == nil {
			d.scope = is
		}
	}
	well := d.checkObjects(schema)
	well = d.checkKeys(schema) && well
	if d.checkMapping(schema) && well {
		d.ok(check, "the job maps and matches as the connection does")
	}
}

// checkObjects checks what the job sends at all. It reports whether all is well.
func (d *diagnosis) checkObjects(schema *connectors.JobSchema) bool {
	well := true
	warn := func(text, fix string) {
		d.warn("mapping", text, fix)
		well = false
	}
	seen := map[connectors.JobObjectKind]bool{}
	for _, o := range schema.Objects {
		seen[o.Kind] = seen[o.Kind] || o.Enabled
		if !o.Enabled || o.Kind != connectors.JobUsers {
			continue
		}
		for _, flow := range []struct {
			does       bool
			what, then string
		}{
			{o.Creates, "create", "who is new comes by a run only"},
			{o.Updates, "update", "changes come by a run only"},
			{o.Deletes, "delete", "who leaves goes by a run only"},
		} {
			if !flow.does {
				warn("the job does not "+flow.what+" users: "+flow.then, "tick it in the portal: Provisioning, Mappings, users, Target Object Actions")
			}
		}
	}
	if !seen[connectors.JobUsers] {
		warn("the job sends no users: its mapping of them is off", "switch it on in the portal: Provisioning, Mappings")
	}
	if !seen[connectors.JobGroups] {
		warn("the job sends no groups: teams come by runs only", "switch the mapping of groups on in the portal: Provisioning, Mappings")
	}
	return well
}

// checkKeys checks what the job finds people and groups here by, and how it says that somebody has left. It reports
// whether all is well.
//
//	| the job                             | then                                                                       |
//	|-------------------------------------|----------------------------------------------------------------------------|
//	| matches nobody by anything          | it makes everybody anew: fail                                              |
//	| matches by what is not looked up    | its look-up is refused, or finds several: fail                             |
//	| does not map active                 | nobody is ever switched off by a push: fail                                |
//	| maps active without IsSoftDeleted   | who leaves the scope is not switched off by a push, and by a run is: warn  |
func (d *diagnosis) checkKeys(schema *connectors.JobSchema) bool {
	const check, where = "matching", "the portal: Provisioning, Mappings, "
	well := true
	for _, o := range schema.Objects {
		keys, what := []string{"userName", "externalId", `emails[type eq "work"].value`}, "users"
		if o.Kind == connectors.JobGroups {
			keys, what = []string{"displayName", "externalId"}, "groups"
		}
		if !o.Enabled || o.Kind == connectors.JobOther {
			continue
		}
		var matched, odd []string
		for _, a := range o.Attributes {
			if a.Matching == 0 {
				continue
			}
			matched = append(matched, a.Target)
			if !slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, a.Target) }) {
				odd = append(odd, a.Target)
			}
		}
		switch {
		case len(matched) == 0:
			d.fail(check, "the job has no matching attribute for "+what+": it takes everybody for new", "in "+where+what+", give "+keys[0]+" the matching precedence 1")
			well = false
		case len(odd) > 0:
			d.fail(check, "the job finds "+what+" by "+strings.Join(odd, ", ")+", which is no key here",
				"in "+where+what+", match by one of "+strings.Join(keys, ", "))
			well = false
		}
		if o.Kind == connectors.JobUsers && !d.checkActive(&o) {
			well = false
		}
	}
	return well
}

func (d *diagnosis) checkActive(o *connectors.JobObject) bool {
	const check = "active"
	fix := `in the portal: Provisioning, Mappings, users, map active by the expression Switch([IsSoftDeleted], , "False", "True", "True", "False")`
	i := slices.IndexFunc(o.Attributes, func(a connectors.JobAttribute) bool { return strings.EqualFold(a.Target, "active") })
	switch {
	case i < 0:
		d.fail(check, "the job does not map active: no push ever switches anybody off", fix)
		return false
	case !strings.Contains(strings.ToLower(o.Attributes[i].Expression+o.Attributes[i].Source), "issoftdeleted"):
		d.warn(check, "the job maps active from "+storable(o.Attributes[i].Expression)+", not from IsSoftDeleted: who leaves the scope is switched off by runs only", fix)
		return false
	}
	return true
}
