package idpsim

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
)

const scimUserSchema = "urn:ietf:params:scim:schemas:core:2.0:User"

// oktaJob is one object on its way through a cycle.
type oktaJob struct {
	p       *OktaPusher
	t       *tally
	id      string
	kind    string // User or Group
	name    string
	rec     *record
	full    bool // send even where nothing changed
	targets []oktaTarget
}

// done notes an outcome in the summary and, where something was sent, in the tenant's system log under that event type.
func (j *oktaJob) done(o Outcome, event string) {
	j.t.add(Detail{ObjectID: j.id, Type: j.kind, Name: j.name, Outcome: o})
	if event != "" {
		j.p.t.provisioned(event, "", j.targets...)
	}
}

// failed notes a failure: in the summary, as a task, at the object and in the system log.
func (j *oktaJob) failed(err error) {
	d := Detail{ObjectID: j.id, Type: j.kind, Name: j.name, Outcome: Failed, Reason: err.Error(), Status: statusOf(err)}
	j.t.add(d)
	j.p.mu.Lock()
	j.p.tasks[j.id] = d
	j.p.mu.Unlock()
	if j.kind == "Group" {
		j.p.t.pushed(j.id, err.Error())
		j.p.t.provisioned("application.provision.group_push.mapping.update.or.delete.failed.with.error", err.Error(), j.targets...)
		return
	}
	j.p.t.synced(j.id, "", true)
	j.p.t.provisioned("application.provision.user.push_profile", err.Error(), j.targets...)
}

// synced notes at an application user, where there is one, what provisioning did.
func (t *OktaTenant) synced(id, externalID string, failed bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.dir.appUsers[id] == nil {
		return
	}
	t.state.Lock()
	defer t.state.Unlock()
	s := t.syncs[id]
	s.failed = failed
	if !failed {
		s.externalID, s.at = externalID, t.cfg.Now().UTC()
	}
	t.syncs[id] = s
}

// oktaSource is what the org says of one person now.
type oktaSource struct {
	app    AppUser
	wanted bool
	held   bool // suspended, of which Okta tells nobody
}

func (p *OktaPusher) userJob(id string, full bool, t *tally) *oktaJob {
	return &oktaJob{p: p, t: t, id: id, kind: "User", full: full, rec: p.recordOf(id)}
}

func (j *oktaJob) source() (src oktaSource) {
	j.targets = []oktaTarget{j.p.t.appTarget()}
	j.p.t.view(0, func(d *oktaDirectory) {
		u, a := d.users[j.id], d.appUsers[j.id]
		if u != nil {
			j.name = u.Profile.Login
			j.targets = append(j.targets, u.target())
		}
		if u == nil || a == nil {
			return
		}
		j.name = a.UserName
		j.targets = append(j.targets, a.target())
		src = oktaSource{app: *a, wanted: d.wanted(j.id)}
		src.held = !j.p.cfg.PushSuspend && !src.wanted && (u.Status == OktaSuspended || a.Status == AppSuspended) &&
			u.Status != OktaDeprovisioned && a.Status != AppDeprovisioned
	})
	return src
}

// userAttrs are the attributes of a user that are sent, beside active.
func (src oktaSource) userAttrs() map[string]string {
	p := src.app.Profile
	return map[string]string{
		"userName": src.app.UserName, "givenName": p.GivenName, "familyName": p.FamilyName, "email": p.Email,
		"displayName": p.DisplayName, "locale": p.Locale,
	}
}

// user brings one person to the target.
//
//	application user         believed nothing   believed on      believed off
//	enabled                  match or create    GET and PUT      PATCH active, GET and PUT
//	suspended                -                  -                -
//	none, or switched off    -                  PATCH active     -
func (j *oktaJob) user(ctx context.Context) error {
	src := j.source()
	if src.held {
		return nil
	}
	on := j.rec != nil && j.rec.exported["active"] == "true"
	attrs := src.userAttrs()
	if src.wanted {
		attrs["active"] = "true"
	}
	switch {
	case !src.wanted && !on:
		return nil
	case src.wanted && on && maps.Equal(attrs, j.rec.exported) && !j.full:
		j.done(Unchanged, "")
		return nil
	case !src.wanted && j.p.missed(j.id), src.wanted && (!on || !maps.Equal(attrs, j.rec.exported)) && j.p.missed(j.id):
		j.believe(attrs)
		j.done(Missed, "")
		return nil
	case !src.wanted:
		return j.deactivate(ctx)
	case j.rec == nil || j.rec.target == "":
		return j.match(ctx, src, attrs)
	case !on:
		return j.reactivate(ctx, src, attrs)
	}
	return j.update(ctx, src, attrs, Updated)
}

// believe stores what is taken to be at the target.
func (j *oktaJob) believe(attrs map[string]string) {
	if j.rec == nil {
		j.rec = &record{}
	}
	if attrs["active"] == "" && j.rec.exported != nil {
		attrs = maps.Clone(j.rec.exported)
		attrs["active"] = "false"
	}
	j.rec.exported = attrs
	j.p.store(j.id, j.rec)
}

// provisioned ends a push that went well.
func (j *oktaJob) provisioned(attrs map[string]string, o Outcome, event string) {
	j.believe(attrs)
	j.p.t.synced(j.id, j.rec.target, false)
	j.done(o, event)
}

// deactivate switches an account off. Okta deletes none.
func (j *oktaJob) deactivate(ctx context.Context) error {
	if j.rec.target == "" { // its create was lost
		j.p.store(j.id, nil)
		return nil
	}
	if err := j.setActive(ctx, false); err != nil {
		return err
	}
	j.provisioned(map[string]string{}, Disabled, "application.provision.user.deactivate")
	return nil
}

// setActive sends the PATCH of the page "SCIM 2.0 protocol reference", "Update a specific User (PATCH)".
func (j *oktaJob) setActive(ctx context.Context, active bool) error {
	return j.p.scim.patch(ctx, "/Users/"+j.rec.target, []object{{"op": "replace", "value": object{"active": active}}})
}

func (j *oktaJob) reactivate(ctx context.Context, src oktaSource, attrs map[string]string) error {
	if err := j.setActive(ctx, true); err != nil {
		return err
	}
	j.p.revisitGroups(j.id)
	was := maps.Clone(j.rec.exported)
	was["active"] = "true"
	if maps.Equal(was, attrs) {
		j.provisioned(attrs, Updated, "application.provision.user.reactivate")
		return nil
	}
	return j.update(ctx, src, attrs, Updated)
}

// update sends "GET /Users/{id}" and "PUT /Users/{id}" with the whole resource. A user who has vanished fails: it takes
// an import to link them anew.
func (j *oktaJob) update(ctx context.Context, src oktaSource, attrs map[string]string, o Outcome) error {
	path := "/Users/" + j.rec.target
	resource, err := j.p.scim.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if resource == nil {
		resource = object{}
	}
	maps.Copy(resource, src.resource())
	resource["id"], resource["externalId"] = j.rec.target, j.id
	if _, err := j.p.scim.do(ctx, http.MethodPut, path, resource); err != nil {
		return err
	}
	j.provisioned(attrs, o, "application.provision.user.push_profile")
	return nil
}

// match looks for the person by userName, links them where one is found and creates them otherwise. A conflict is shown
// to the administrator.
func (j *oktaJob) match(ctx context.Context, src oktaSource, attrs map[string]string) error {
	found, err := j.p.scim.list(ctx, "/Users?filter="+escape("userName eq "+quote(src.app.UserName))+"&startIndex=1&count=100")
	if err != nil {
		return err
	}
	j.p.revisitGroups(j.id)
	if len(found) > 0 {
		id, err := idOf(found[0])
		if err != nil {
			return err
		}
		j.rec = &record{target: id}
		return j.update(ctx, src, attrs, Updated)
	}
	body := src.resource()
	sum := sha256.Sum256([]byte("password of " + j.id))
	body["password"], body["externalId"] = base64.RawURLEncoding.EncodeToString(sum[:12]), j.id
	id, err := j.p.scim.create(ctx, "/Users", body)
	if err != nil {
		return err
	}
	j.rec = &record{target: id}
	j.provisioned(attrs, Created, "application.provision.user.push")
	return nil
}

// resource is the body of a user, in the shape of the page "SCIM 2.0 protocol reference", "Create Users".
func (src oktaSource) resource() object {
	p := src.app.Profile
	body := object{
		"schemas": []string{scimUserSchema}, "userName": src.app.UserName,
		"name":        object{"givenName": p.GivenName, "familyName": p.FamilyName},
		"emails":      []object{{"primary": true, "value": p.Email, "type": "work"}},
		"displayName": p.DisplayName, "groups": []object{}, "active": true,
	}
	if p.Locale != "" {
		body["locale"] = p.Locale
	}
	return body
}

// revisitGroups has the pushed groups that hold a person looked at again, after their account was made or came back.
func (p *OktaPusher) revisitGroups(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.t.view(0, func(d *oktaDirectory) {
		for _, g := range d.memberOf[user].all() {
			if d.mappings[g] != nil {
				p.revisit[g] = true
			}
		}
	})
}
