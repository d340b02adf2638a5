package idpsim

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// oktaControl is what the control surface does to an Okta org.
type oktaControl struct {
	*OktaTenant
	pusher *OktaPusher
}

func (c *oktaControl) rules() *faults { return &c.faults }

func (c *oktaControl) about() object {
	out := object{"kind": "okta", "seed": c.cfg.Seed, "app_id": c.cfg.AppID, "api_token": c.cfg.APIToken}
	c.view(0, func(d *oktaDirectory) {
		out["users"], out["groups"] = len(d.userIDs.ids), len(d.groupIDs.ids)
		out["app_users"], out["assigned_groups"] = len(d.appUserIDs.ids), len(d.assignIDs.ids)
		out["push_mappings"] = len(d.mappingIDs.ids)
	})
	return out
}

func (c *oktaControl) wanted() ([]Wanted, []Team) {
	people := c.Desired()
	out := make([]Wanted, 0, len(people))
	for _, p := range people {
		out = append(out, Wanted{
			ID: p.ObjectID, UserName: p.UserName, Email: p.Email, DisplayName: p.DisplayName, GivenName: p.GivenName,
			FamilyName: p.FamilyName,
		})
	}
	return out, c.DesiredTeams()
}

func (c *oktaControl) why(key string) (Verdict, error) {
	u, ok := c.User(key)
	if !ok {
		return Verdict{}, fmt.Errorf("user %q: %w", key, ErrNotFound)
	}
	v := Verdict{ID: u.ID, Enabled: u.Status.Enabled(), Through: []string{}}
	c.view(0, func(d *oktaDirectory) {
		a := d.appUsers[u.ID]
		if a == nil {
			return
		}
		v.Desired, v.Enabled = d.wanted(u.ID), v.Enabled && a.Status.Enabled()
		if a.Direct {
			v.Through = append(v.Through, u.ID)
		}
		for _, g := range d.memberOf[u.ID].all() {
			if d.assigned[g] != nil {
				v.Through = append(v.Through, g)
			}
		}
	})
	return v, nil
}

// dump copies what the directory points to, which is replaced and never altered, and writes it without the lock. What
// provisioning left on application users isn't the directory's.
func (c *oktaControl) dump(w *jsonStream) error {
	type team struct {
		group   *OktaGroup
		members []string
	}
	var users []*OktaUser
	var groups []team
	var app []*AppUser
	var assigned []*GroupAssignment
	var mappings []*PushMapping
	version := 0
	c.view(0, func(d *oktaDirectory) {
		version = d.version
		for _, id := range d.userIDs.ids {
			users = append(users, d.users[id])
		}
		for _, id := range d.groupIDs.ids {
			groups = append(groups, team{d.groups[id], slices.Clone(d.members[id].all())})
		}
		for _, id := range d.appUserIDs.ids {
			app = append(app, d.appUsers[id])
		}
		for _, id := range d.assignIDs.ids {
			assigned = append(assigned, d.assigned[id])
		}
		for _, id := range d.mappingIDs.ids {
			mappings = append(mappings, d.mappings[id])
		}
	})
	w.field("version", version)
	streamEach(w, "users", len(users), func(i int) any { return renderOktaUser(users[i], "") })
	streamEach(w, "groups", len(groups), func(i int) any {
		out := renderOktaGroup(groups[i].group, "")
		out["members"] = append([]string{}, groups[i].members...)
		return out
	})
	streamEach(w, "appUsers", len(app), func(i int) any {
		a := app[i]
		return object{"id": a.ID, "userName": a.UserName, "direct": a.Direct, "status": string(a.Status), "profile": object{
			"email": a.Profile.Email, "givenName": a.Profile.GivenName, "familyName": a.Profile.FamilyName,
			"displayName": a.Profile.DisplayName, "title": a.Profile.Title, "department": a.Profile.Department,
			"locale": a.Profile.Locale,
		}}
	})
	streamEach(w, "assignedGroups", len(assigned), func(i int) any {
		return object{"id": assigned[i].GroupID, "priority": assigned[i].Priority}
	})
	streamEach(w, "pushMappings", len(mappings), func(i int) any {
		m := mappings[i]
		return object{"id": m.ID, "sourceGroupId": m.SourceGroupID, "targetGroupId": m.TargetGroupID, "status": string(m.Status)}
	})
	return w.err
}

func (c *oktaControl) person(key string) (string, bool) {
	u, ok := c.User(key)
	return u.ID, ok
}

func (c *oktaControl) team(key string) (string, bool) {
	g, ok := c.Group(key)
	return g.ID, ok
}

func (c *oktaControl) mutate(m Mutation) (string, error) {
	switch m.Op {
	case "add_user":
		var u OktaUser
		if err := setOkta(&u.Profile, &u.Status, m.Set); err != nil {
			return "", err
		}
		u, err := c.AddUser(u)
		return u.ID, err
	case "add_group":
		g, err := c.AddGroup(OktaGroup{Name: m.Name})
		return g.ID, err
	case "restore", "purge":
		return "", fmt.Errorf("%w: Okta keeps nobody who was deleted: disable and enable people instead", errOrder)
	}
	if m.Group != "" {
		return c.mutateGroup(m)
	}
	ids, err := found("user", m.people(), c.person)
	if err != nil {
		return "", err
	}
	switch m.Op {
	case "assign":
		return ids[0], c.AssignUser(ids...)
	case "unassign":
		return ids[0], c.UnassignUser(ids...)
	}
	do := map[string]func(id string) error{
		"disable": c.Deactivate, "enable": c.Activate, "delete": c.DeleteUser, "suspend": c.Suspend, "unsuspend": c.Unsuspend,
		"update_user": func(id string) error { return c.update(id, m.Set) },
		"rename": func(id string) error {
			if m.Name == "" {
				return fmt.Errorf("%w: rename wants a name", errOrder)
			}
			return c.UpdateProfile(id, func(p *OktaProfile) { p.Login = m.Name })
		},
	}[m.Op]
	if do == nil {
		return "", m.unknown()
	}
	return ids[0], forEach(ids, do)
}

// update changes a person's profile and status.
func (c *oktaControl) update(id string, set map[string]string) error {
	u, _ := c.User(id)
	if err := setOkta(&u.Profile, &u.Status, set); err != nil {
		return err
	}
	return errors.Join(c.UpdateProfile(id, func(p *OktaProfile) { *p = u.Profile }), c.SetStatus(id, u.Status))
}

func (c *oktaControl) mutateGroup(m Mutation) (string, error) {
	groups, err := found("group", []string{m.Group}, c.team)
	if err != nil {
		return "", err
	}
	group := groups[0]
	switch m.Op {
	case "rename":
		if m.Name == "" {
			return "", fmt.Errorf("%w: rename wants a name", errOrder)
		}
		return group, c.RenameGroup(group, m.Name)
	case "delete_group":
		return group, c.DeleteGroup(group)
	case "assign":
		return group, c.AssignGroup(group)
	case "unassign":
		return group, c.UnassignGroup(group)
	case "push_group":
		return group, c.PushGroup(group)
	case "unpush_group":
		return group, c.UnpushGroup(group)
	case "pause_push":
		return group, c.SetPushStatus(group, PushInactive, "")
	case "join", "leave":
	default:
		return "", m.unknown()
	}
	ids, err := found("user", m.people(), c.person)
	if err != nil {
		return "", err
	}
	if m.Op == "join" {
		return ids[0], c.AddToGroup(group, ids...)
	}
	return ids[0], c.RemoveFromGroup(group, ids...)
}

// setOkta sets properties under Okta's names.
func setOkta(p *OktaProfile, status *OktaStatus, set map[string]string) error {
	state := string(*status)
	err := applyProperties(set, map[string]*string{
		"login": &p.Login, "email": &p.Email, "firstName": &p.FirstName, "lastName": &p.LastName,
		"displayName": &p.DisplayName, "title": &p.Title, "department": &p.Department, "locale": &p.Locale, "status": &state,
	})
	known := []OktaStatus{
		"", OktaActive, OktaPasswordExpired, OktaLockedOut, OktaRecovery, OktaProvisioned, OktaStaged, OktaSuspended, OktaDeprovisioned,
	}
	if err == nil && !slices.Contains(known, OktaStatus(state)) {
		err = fmt.Errorf("status %q: %w: want one of %v", state, errOrder, known[1:])
	}
	*status = OktaStatus(state)
	return err
}

func (c *oktaControl) push(ctx context.Context, o PushOrder) (any, error) {
	switch {
	case c.pusher == nil:
		return nil, errNoPusher
	case o.Quarantine != "" || o.Lift:
		return nil, fmt.Errorf("%w: Okta has no quarantine", errOrder)
	case len(o.Miss) > 0:
		c.pusher.Miss(o.Miss...)
		return nil, nil
	case o.Initial:
		return pushed(c.pusher.ForceSync(ctx))
	}
	return pushed(c.pusher.Cycle(ctx))
}
