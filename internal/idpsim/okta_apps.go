package idpsim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// renderApp follows the page "Applications", for an application made with the app integration wizard and SCIM switched
// on.
func (t *OktaTenant) renderApp(base string) object {
	created := oktaStamp(oktaEpoch())
	t.state.Lock()
	defer t.state.Unlock()
	status := "ACTIVE"
	if t.appOff {
		status = "INACTIVE"
	}
	return object{
		"id": t.cfg.AppID, "name": "sim_rosterd_1", "label": t.cfg.AppName, "status": status, "created": created,
		"lastUpdated": created, "signOnMode": "SAML_2_0", "accessibility": object{"selfService": false},
		"features":    t.features,
		"credentials": object{"userNameTemplate": object{"template": "${source.login}", "type": "BUILT_IN"}},
		"settings":    object{"app": object{}},
		"_links":      object{"users": object{"href": base + "/apps/" + t.cfg.AppID + "/users"}},
	}
}

// appFeatures is what is switched on under Provisioning where everything is that SCIM offers (page "Applications", "App
// provisioning features").
func appFeatures() []string {
	return []string{"GROUP_PUSH", "PUSH_NEW_USERS", "PUSH_PROFILE_UPDATES", "PUSH_USER_DEACTIVATION", "REACTIVATE_USERS"}
}

// SetFeatures changes what is said to be switched on under Provisioning; no features: provisioning is not set up. It does
// not change what a pusher does.
func (t *OktaTenant) SetFeatures(features ...string) {
	t.state.Lock()
	defer t.state.Unlock()
	t.features = append([]string{}, features...)
}

// SwitchApp switches the application off or on, as far as it is shown.
func (t *OktaTenant) SwitchApp(on bool) {
	t.state.Lock()
	defer t.state.Unlock()
	t.appOff = !on
}

func oktaEpoch() time.Time { return time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC) }

func (t *OktaTenant) listApps(_ *oktaDirectory, r *request) oktaReply {
	return t.page(r, oktaList{ids: []string{t.cfg.AppID}, standard: 20, most: 200, get: func(string) object {
		return t.renderApp(r.base)
	}})
}

func (t *OktaTenant) getApp(_ *oktaDirectory, r *request) oktaReply {
	return oktaReply{status: http.StatusOK, body: t.renderApp(r.base)}
}

// renderAppUser follows the page "Application Users".
func (t *OktaTenant) renderAppUser(d *oktaDirectory, id string, r *request) object {
	a := d.appUsers[id]
	if a == nil {
		return nil
	}
	scope := "GROUP"
	if a.Direct {
		scope = "USER"
	}
	p := a.Profile
	profile := object{
		"email": orNull(p.Email), "givenName": orNull(p.GivenName), "familyName": orNull(p.FamilyName),
		"displayName": orNull(p.DisplayName), "title": orNull(p.Title), "department": orNull(p.Department),
		"locale": orNull(p.Locale),
	}
	s := t.syncOf(id)
	state := "OUT_OF_SYNC"
	switch {
	case s.failed:
		state = "ERROR"
	case !s.at.IsZero():
		state = "SYNCHRONIZED"
	}
	out := object{
		"id": id, "scope": scope, "status": string(a.Status), "syncState": state, "created": oktaStamp(a.Created),
		"lastUpdated": oktaStamp(a.LastUpdated), "statusChanged": oktaStamp(a.StatusChanged), "passwordChanged": nil,
		"lastSync": oktaStamp(s.at), "credentials": object{"userName": a.UserName}, "profile": profile,
		"_links": object{
			"app": object{"href": r.base + "/apps/" + t.cfg.AppID}, "user": object{"href": r.base + "/users/" + id},
		},
	}
	if s.externalID != "" {
		out["externalId"] = s.externalID
	}
	if u := d.users[id]; u != nil && slices.Contains(strings.Split(r.query.Get("expand"), ","), "user") {
		out["_embedded"] = object{"user": renderOktaUser(u, r.base)}
	}
	return out
}

func (t *OktaTenant) syncOf(id string) appSync {
	t.state.Lock()
	defer t.state.Unlock()
	return t.syncs[id]
}

// listAppUsers answers the page "Application Users", "List all application users".
func (t *OktaTenant) listAppUsers(d *oktaDirectory, r *request) oktaReply {
	q := fold(r.query.Get("q"))
	return t.page(r, oktaList{ids: d.appUserIDs.ids, standard: 50, most: 500, get: func(id string) object {
		a := d.appUsers[id]
		if a == nil || q != "" && !strings.HasPrefix(fold(a.UserName), q) {
			return nil
		}
		return t.renderAppUser(d, id, r)
	}})
}

func (t *OktaTenant) getAppUser(d *oktaDirectory, r *request) oktaReply {
	out := t.renderAppUser(d, r.params[1], r)
	if out == nil {
		return oktaNotFound(r.params[1], "AppUser")
	}
	return oktaReply{status: http.StatusOK, body: out}
}

// renderAppGroup follows the page "Application Groups".
func (t *OktaTenant) renderAppGroup(d *oktaDirectory, id string, r *request) object {
	a := d.assigned[id]
	if a == nil {
		return nil
	}
	out := object{
		"id": id, "lastUpdated": oktaStamp(a.LastUpdated), "priority": a.Priority, "profile": object{},
		"_links": object{
			"app": object{"href": r.base + "/apps/" + t.cfg.AppID}, "group": object{"href": r.base + "/groups/" + id},
		},
	}
	if g := d.groups[id]; g != nil && slices.Contains(strings.Split(r.query.Get("expand"), ","), "group") {
		out["_embedded"] = object{"group": renderOktaGroup(g, r.base)}
	}
	return out
}

// listAppGroups answers the page "Application Groups", "List all application groups": those that are assigned, whether
// they are pushed or not.
func (t *OktaTenant) listAppGroups(d *oktaDirectory, r *request) oktaReply {
	q := fold(r.query.Get("q"))
	return t.page(r, oktaList{ids: d.assignIDs.ids, standard: 20, most: 200, get: func(id string) object {
		if g := d.groups[id]; q != "" && (g == nil || !strings.HasPrefix(fold(g.Name), q)) {
			return nil
		}
		return t.renderAppGroup(d, id, r)
	}})
}

func (t *OktaTenant) getAppGroup(d *oktaDirectory, r *request) oktaReply {
	out := t.renderAppGroup(d, r.params[1], r)
	if out == nil {
		return oktaNotFound(r.params[1], "ApplicationGroupAssignment")
	}
	return oktaReply{status: http.StatusOK, body: out}
}

// renderMapping follows the page "Group Push Mappings". Published examples name the mapping's id in both ways.
func (t *OktaTenant) renderMapping(d *oktaDirectory, source string, r *request) object {
	m := d.mappings[source]
	if m == nil {
		return nil
	}
	t.state.Lock()
	pushed := t.pushes[source]
	t.state.Unlock()
	return object{
		"id": m.ID, "mappingId": m.ID, "sourceGroupId": source, "targetGroupId": m.TargetGroupID,
		"status": string(m.Status), "errorSummary": orNull(m.ErrorSummary), "created": oktaStamp(m.Created),
		"lastUpdated": oktaStamp(m.LastUpdated), "lastPush": oktaStamp(pushed),
		"_links": object{
			"app":         object{"href": r.base + "/apps/" + t.cfg.AppID},
			"sourceGroup": object{"href": r.base + "/groups/" + source},
			"targetGroup": object{"href": r.base + "/groups/" + m.TargetGroupID},
		},
	}
}

// listMappings answers the page "Group Push Mappings", "List all group push mappings".
func (t *OktaTenant) listMappings(d *oktaDirectory, r *request) oktaReply {
	status, source := r.query.Get("status"), r.query.Get("sourceGroupId")
	return t.page(r, oktaList{ids: d.mappingIDs.ids, standard: 100, most: 1000, get: func(id string) object {
		if m := d.mappings[id]; m == nil || status != "" && string(m.Status) != status || source != "" && id != source {
			return nil
		}
		return t.renderMapping(d, id, r)
	}})
}

// getMapping answers the page "Group Push Mappings", "Retrieve a group push mapping".
func (t *OktaTenant) getMapping(d *oktaDirectory, r *request) oktaReply {
	for _, source := range d.mappingIDs.ids {
		if d.mappings[source].ID == r.params[1] {
			return oktaReply{status: http.StatusOK, body: t.renderMapping(d, source, r)}
		}
	}
	return oktaNotFound(r.params[1], "GroupPushMapping")
}
