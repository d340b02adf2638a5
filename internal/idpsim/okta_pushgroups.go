package idpsim

import (
	"context"
	"maps"
	"net/http"
	"slices"
)

const scimGroupSchema = "urn:ietf:params:scim:schemas:core:2.0:Group"

func (p *OktaPusher) groupJob(id string, full bool, t *tally) *oktaJob {
	p.mu.Lock()
	full = full || p.whole[id]
	delete(p.whole, id)
	p.mu.Unlock()
	return &oktaJob{p: p, t: t, id: id, kind: "Group", full: full, rec: p.recordOf(id)}
}

// pushedGroup is what the org says of one group now.
type pushedGroup struct {
	name    string
	mapped  bool
	paused  bool
	members map[string]string // application users, by id: userName
}

func (j *oktaJob) pushedGroup() (out pushedGroup) {
	j.targets = []oktaTarget{j.p.t.appTarget()}
	j.p.t.view(0, func(d *oktaDirectory) {
		g, m := d.groups[j.id], d.mappings[j.id]
		if g == nil || m == nil {
			return
		}
		j.name = g.Name
		j.targets = append(j.targets, g.target())
		out = pushedGroup{name: g.Name, mapped: true, paused: m.Status == PushInactive, members: map[string]string{}}
		for _, id := range d.members[j.id].all() {
			if a := d.appUsers[id]; a != nil {
				out.members[id] = a.UserName
			}
		}
	})
	return out
}

// group brings one pushed group to the target. Its members are the group's members who are application users with an
// account there, whatever brought them to the application.
func (j *oktaJob) group(ctx context.Context) error {
	g := j.pushedGroup()
	switch {
	case !g.mapped && j.rec == nil, g.paused:
		return nil
	case !g.mapped:
		return j.unlink(ctx)
	}
	targets := j.p.accounts(g.members)
	if j.rec != nil && !j.full && j.rec.exported["displayName"] == g.name && maps.Equal(j.rec.members, targets) {
		j.done(Unchanged, "")
		return nil
	}
	if j.p.missed(j.id) {
		rec := &record{group: true, exported: map[string]string{"displayName": g.name}, members: targets}
		if j.rec != nil {
			rec.target = j.rec.target
		}
		j.p.store(j.id, rec)
		j.done(Missed, "")
		return nil
	}
	if j.rec == nil || j.rec.target == "" {
		return j.link(ctx, g, targets)
	}
	return j.updateGroup(ctx, g, targets)
}

// accounts maps those of a group's members whose account is on to its id.
func (p *OktaPusher) accounts(members map[string]string) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]string, len(members))
	for id := range members {
		if rec := p.records[id]; rec != nil && rec.target != "" && rec.exported["active"] == "true" {
			out[id] = rec.target
		}
	}
	return out
}

// unlink deletes the group of a mapping that is gone, unless it is to be left.
func (j *oktaJob) unlink(ctx context.Context) error {
	j.name = j.rec.exported["displayName"]
	j.p.t.state.Lock()
	leave := j.p.t.left[j.id]
	j.p.t.state.Unlock()
	switch {
	case j.p.missed(j.id):
		j.p.store(j.id, nil)
		j.done(Missed, "")
		return nil
	case leave || j.rec.target == "":
		j.p.store(j.id, nil)
		return nil
	}
	_, err := j.p.scim.do(ctx, http.MethodDelete, "/Groups/"+j.rec.target, nil)
	if err != nil && statusOf(err) != http.StatusNotFound {
		return err
	}
	j.p.store(j.id, nil)
	j.done(Deleted, "application.provision.group_push.removed")
	return nil
}

// link looks for the group by displayName; one that is found gets the full set of members, otherwise it is created with
// them.
func (j *oktaJob) link(ctx context.Context, g pushedGroup, targets map[string]string) error {
	found, err := j.p.scim.list(ctx, "/Groups?filter="+escape("displayName eq "+quote(g.name))+"&startIndex=1&count=100")
	if err != nil {
		return err
	}
	members := j.values(g, targets, sortedKeys(targets))
	if len(found) > 0 {
		id, err := idOf(found[0])
		if err != nil {
			return err
		}
		if err := j.replaceMembers(ctx, id, members); err != nil {
			return err
		}
		j.linked(id, g, targets)
		j.done(Updated, "application.provision.group_push.updated")
		return nil
	}
	id, err := j.p.scim.create(ctx, "/Groups", object{
		"schemas": []string{scimGroupSchema}, "displayName": g.name, "members": members,
	})
	if err != nil {
		return err
	}
	j.linked(id, g, targets)
	j.done(Created, "application.provision.group_push.pushed")
	return nil
}

// values are members in the shape of the page "SCIM 2.0 protocol reference", "Create Groups".
func (j *oktaJob) values(g pushedGroup, targets map[string]string, ids []string) []object {
	out := make([]object, 0, len(ids))
	for _, id := range ids {
		out = append(out, object{"value": targets[id], "display": g.members[id]})
	}
	return out
}

func (j *oktaJob) replaceMembers(ctx context.Context, id string, members []object) error {
	return j.p.scim.patch(ctx, "/Groups/"+id, []object{{"op": "replace", "path": "members", "value": members}})
}

// linked stores a group of which all members were sent.
func (j *oktaJob) linked(id string, g pushedGroup, targets map[string]string) {
	var had map[string]string
	if j.rec != nil {
		had = j.rec.members
	}
	add, remove := memberDiff(had, targets)
	j.t.members(len(add), len(remove))
	j.rec = &record{group: true, target: id, exported: map[string]string{"displayName": g.name}, members: targets}
	j.p.store(j.id, j.rec)
	j.p.t.pushed(j.id, "")
}

func memberDiff(sent, targets map[string]string) (add, remove []string) {
	for _, id := range sortedKeys(targets) {
		if sent[id] != targets[id] {
			add = append(add, id)
		}
	}
	for _, id := range sortedKeys(sent) {
		if targets[id] == "" {
			remove = append(remove, id)
		}
	}
	return add, remove
}

// updateGroup sends a new name, then members: all of them when pushed whole, otherwise what changed.
func (j *oktaJob) updateGroup(ctx context.Context, g pushedGroup, targets map[string]string) error {
	if j.full || j.rec.exported["displayName"] != g.name {
		rename := object{"op": "replace", "value": object{"id": j.rec.target, "displayName": g.name}}
		if err := j.p.scim.patch(ctx, "/Groups/"+j.rec.target, []object{rename}); err != nil {
			return err
		}
		j.rec.exported = map[string]string{"displayName": g.name}
		j.p.store(j.id, j.rec)
	}
	if j.full {
		if err := j.replaceMembers(ctx, j.rec.target, j.values(g, targets, sortedKeys(targets))); err != nil {
			return err
		}
	} else if err := j.changeMembers(ctx, g, targets); err != nil {
		return err
	}
	j.linked(j.rec.target, g, targets)
	j.done(Updated, "application.provision.group_push.updated")
	return nil
}

// changeMembers adds and removes in batches.
func (j *oktaJob) changeMembers(ctx context.Context, g pushedGroup, targets map[string]string) error {
	add, remove := memberDiff(j.rec.members, targets)
	path := "/Groups/" + j.rec.target
	for batch := range slices.Chunk(add, j.p.cfg.MemberBatch) {
		op := object{"op": "add", "path": "members", "value": j.values(g, targets, batch)}
		if err := j.p.scim.patch(ctx, path, []object{op}); err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(remove, j.p.cfg.MemberBatch) {
		var ops []object
		for _, id := range batch {
			ops = append(ops, object{"op": "remove", "path": "members[value eq " + quote(j.rec.members[id]) + "]"})
		}
		if err := j.p.scim.patch(ctx, path, ops); err != nil {
			return err
		}
	}
	return nil
}

// pushed notes at a push mapping that it was pushed, or why it failed. It is no change that would be pushed in turn.
func (t *OktaTenant) pushed(group, failure string) {
	status := PushError
	if failure == "" {
		status = PushActive
		t.state.Lock()
		t.pushes[group] = t.cfg.Now().UTC()
		t.state.Unlock()
	}
	_ = t.commit(func(x *oktaTx) error { // has no error to give
		m := x.d.mappings[group]
		if m == nil || m.Status == PushInactive || m.Status == status && m.ErrorSummary == failure {
			return nil
		}
		now := *m
		now.Status, now.ErrorSummary, now.LastUpdated = status, failure, x.now
		x.do(setMapping(group, &now))
		return nil
	})
}
