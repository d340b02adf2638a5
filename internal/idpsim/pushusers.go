package idpsim

import (
	"context"
	"net/http"
)

// source is what the directory says of one person now.
type source struct {
	user    User
	known   bool // in the directory, soft-deleted or not
	present bool // not soft-deleted
	inScope bool
	kept    bool // out of scope, and the account is to be left alone
}

func (s source) wanted() bool { return s.inScope && !s.user.Disabled }

func (p *Pusher) sourceOf(id string) source {
	var s source
	by := p.t.scoping()
	p.t.view(0, func(d *directory) {
		if u := d.users[id]; u != nil {
			s = source{user: *u, known: true, present: true, inScope: by.user(d, id)}
			s.kept = by.skip && !s.inScope && !u.Disabled
		} else if g := d.deleted[id]; g != nil {
			s = source{user: g.user, known: true}
		}
	})
	return s
}

// job is one object on its way through a cycle.
type job struct {
	p    *Pusher
	t    *tally
	id   string
	kind string // User or Group
	name string
	path string // /Users or /Groups
	rec  *record
	full bool // look at the target even where nothing changed
}

// done notes an outcome in the summary and, where something was sent or skipped, in the tenant's provisioning log.
func (j *job) done(o Outcome, reason string) {
	j.t.add(Detail{ObjectID: j.id, Type: j.kind, Name: j.name, Outcome: o, Reason: reason})
	if o == Unchanged || o == Missed {
		return
	}
	e := j.entry("other", "success")
	switch o {
	case Created:
		e.Action = "create"
	case Updated:
		e.Action = "update"
	case Disabled:
		e.Action = "disable"
	case Deleted:
		e.Action = "delete"
	case Skipped:
		e.Status, e.SkipReason, e.Reason = "skipped", reason, skipText(reason, j.kind, j.name)
	}
	j.p.t.AddProvisioningLog(e)
}

func skipText(reason, kind, name string) string {
	if reason == "RedundantSoftDelete" {
		return kind + " '" + name + "' was already soft-deleted in customappsso; no change needs to be made."
	}
	if reason == "SkipOutOfScopeDeletions" {
		return kind + " '" + name + "' went out of scope, and SkipOutOfScopeDeletions is set: it is left as it is."
	}
	return "The state of the entry in both the source and target systems already match. No change to the " + kind + " '" +
		name + "' currently needs to be made."
}

// fail notes a failure and returns it for settle.
func (j *job) fail(err error) error {
	j.t.add(Detail{ObjectID: j.id, Type: j.kind, Name: j.name, Outcome: Failed, Reason: err.Error(), Status: statusOf(err)})
	e := j.entry("other", "failure")
	e.ErrorCode, e.Reason = "SystemForCrossDomainIdentityManagementServiceIncompatible", err.Error()
	if status := statusOf(err); status != 0 {
		e.ErrorCode = "SystemForCrossDomainIdentityManagement" + http.StatusText(status)
	}
	j.p.t.AddProvisioningLog(e)
	return err
}

func (j *job) entry(action, status string) ProvisioningEntry {
	e := ProvisioningEntry{
		Action: action, Status: status, ObjectID: j.id, Type: j.kind, Name: j.name, CycleID: j.t.sum.CycleID,
	}
	if j.rec != nil {
		e.TargetID = j.rec.target
	}
	return e
}

// pushUser brings one person to the target.
//
//	directory               believed nothing   believed on        believed off
//	in scope, enabled       match or create    update             match, update (or RedundantSoftDelete)
//	in scope, disabled      -                  update, active off update
//	out of scope            -                  active off *       -
//	soft-deleted            -                  active off         -
//	gone                    -                  DELETE if managed  DELETE if managed
//
// * nothing where SkipOutOfScopeDeletions is set and the account is enabled.
func (p *Pusher) pushUser(ctx context.Context, id string, full bool, t *tally) error {
	src := p.sourceOf(id)
	j := &job{p: p, t: t, id: id, kind: "User", path: "/Users", name: src.user.UserPrincipalName, rec: p.recordOf(id), full: full}
	switch {
	case j.rec == nil && src.wanted():
		if p.missed(id) {
			attrs := p.cfg.Mapping.userAttrs(src.user, true)
			p.store(id, &record{exported: asMap(attrs), managed: true})
			j.done(Missed, "")
			return nil
		}
		return j.match(ctx, src)
	case j.rec == nil:
		return nil
	case !src.known:
		return j.purge(ctx)
	case src.kept:
		if j.rec.exported["active"] != "False" {
			j.done(Skipped, "SkipOutOfScopeDeletions")
		}
		return nil
	case !src.inScope && j.rec.exported["active"] == "False":
		if src.present && j.rec.managed {
			j.rec.managed = false
			p.store(id, j.rec)
		}
		return nil
	case src.wanted() && j.rec.exported["active"] == "False" && p.isRedundant(id):
		j.done(Skipped, "RedundantSoftDelete")
		return nil
	}
	return j.update(ctx, src)
}

// attrs is what the person should have; of someone out of scope only active is sent.
func (j *job) attrs(src source) []attr {
	if !src.inScope {
		return []attr{{"active", "False"}}
	}
	return j.p.cfg.Mapping.userAttrs(src.user, src.wanted())
}

// update sends what differs at the target, if anything changed since the last export.
func (j *job) update(ctx context.Context, src source) error {
	attrs := j.attrs(src)
	same := sameAs(attrs, j.rec.exported)
	if same && !j.full {
		j.done(Unchanged, "")
		return nil
	}
	if !same && j.p.missed(j.id) {
		j.exported(src, attrs)
		j.done(Missed, "")
		return nil
	}
	if j.rec.target == "" || !j.rec.managed && src.inScope {
		return j.match(ctx, src)
	}
	resource, err := j.p.scim.do(ctx, http.MethodGet, j.path+"/"+j.rec.target, nil)
	if statusOf(err) == http.StatusNotFound {
		j.p.store(j.id, nil)
		j.rec = nil
		if !src.wanted() {
			j.done(Skipped, "NotFoundInTarget")
			return nil
		}
		return j.match(ctx, src)
	}
	if err != nil {
		return j.fail(err)
	}
	return j.apply(ctx, src, resource, attrs)
}

// apply patches a resource that was found.
func (j *job) apply(ctx context.Context, src source, resource object, attrs []attr) error {
	ops := j.p.differences(resource, attrs)
	if len(ops) == 0 {
		j.exported(src, attrs)
		j.done(Skipped, "RedundantExport")
		return nil
	}
	if err := j.p.scim.patch(ctx, j.path+"/"+j.rec.target, ops); err != nil {
		return j.fail(err)
	}
	off := asMap(attrs)["active"] == "False" && current(resource, "active") != "False"
	j.exported(src, attrs)
	if off {
		j.done(Disabled, "")
	} else {
		j.done(Updated, "")
	}
	return nil
}

// exported stores what is believed to have been sent.
func (j *job) exported(src source, attrs []attr) {
	values := map[string]string{}
	if j.rec.exported != nil {
		for k, v := range j.rec.exported {
			values[k] = v
		}
	}
	for _, a := range attrs {
		values[a.path] = a.value
	}
	j.rec.exported = values
	j.rec.managed = src.inScope || !src.present
	j.p.store(j.id, j.rec)
}

// match looks for the person by userName, and creates them where nobody is found.
func (j *job) match(ctx context.Context, src source) error {
	attrs := j.p.cfg.Mapping.userAttrs(src.user, src.wanted())
	for try := 0; ; try++ {
		found, err := j.p.scim.list(ctx, "/Users?filter="+escape("userName eq "+quote(src.user.UserPrincipalName)))
		switch {
		case err != nil:
			return j.fail(err)
		case len(found) > 1:
			return j.fail(&scimError{status: http.StatusOK, detail: "more than one user matches (DuplicateTargetEntries)"})
		case len(found) == 1:
			id, err := idOf(found[0])
			if err != nil {
				return j.fail(err)
			}
			j.rec = &record{target: id, managed: true}
			return j.apply(ctx, src, found[0], attrs)
		case !src.wanted(): // a disabled person is not created
			j.p.store(j.id, nil)
			return nil
		}
		id, err := j.p.scim.create(ctx, "/Users", userBody(attrs))
		if statusOf(err) == http.StatusConflict && try == 0 {
			continue // made meanwhile: match again
		}
		if err != nil {
			return j.fail(err)
		}
		j.rec = &record{target: id}
		j.exported(src, attrs)
		j.p.repairGroups(j.id)
		j.done(Created, "")
		return nil
	}
}

// purge follows a hard delete: DELETE, unless the person was no longer managed.
func (j *job) purge(ctx context.Context) error {
	j.name = j.rec.exported["userName"]
	if j.p.missed(j.id) {
		j.p.store(j.id, nil)
		j.done(Missed, "")
		return nil
	}
	if !j.rec.managed || j.rec.target == "" {
		j.p.store(j.id, nil)
		return nil
	}
	return j.remove(ctx)
}

// remove sends a DELETE; what is gone already is as good.
func (j *job) remove(ctx context.Context) error {
	_, err := j.p.scim.do(ctx, http.MethodDelete, j.path+"/"+j.rec.target, nil)
	if err != nil && statusOf(err) != http.StatusNotFound {
		return j.fail(err)
	}
	j.p.store(j.id, nil)
	j.done(Deleted, "")
	return nil
}
