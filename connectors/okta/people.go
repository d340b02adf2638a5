package okta

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rosterd/rosterd/connectors"
)

// The attributes that come from beside the profile. They stand before any of the same name in it.
const (
	attrUserName      = "userName"          // the AppUser's credentials.userName, which is what Okta pushes
	attrExternalID    = "appUserExternalId" // the application's own id for the person, as Okta keeps it
	attrUserStatus    = "userStatus"
	attrAppUserStatus = "appUserStatus"
)

// userOfApp converts an application user, with the org's user embedded in it. One without the org's user is an error:
// nothing then says whether the person may still sign in.
func (c *Connector) userOfApp(a *sdk.AppUser) (connectors.User, error) {
	if !validID(a.Id) {
		return connectors.User{}, noID()
	}
	status, found := embeddedStatus(a)
	if !found {
		return connectors.User{}, &connectors.Error{
			Fault:   connectors.MissingPermission,
			Message: fmt.Sprintf("Okta does not say what status user %s has", a.Id),
			Fix:     c.grantFix(readUsers),
		}
	}
	u := connectors.User{ObjectID: a.Id, Scope: whyOf(a.Scope), Attributes: profileOf(a.Profile)}
	u.Enabled, u.Keep = c.effective(status, a.Status)
	if a.Credentials != nil {
		u.Attributes[attrUserName] = a.Credentials.UserName
	}
	if a.ExternalId != "" {
		u.Attributes[attrExternalID] = a.ExternalId
	}
	u.Attributes[attrUserStatus], u.Attributes[attrAppUserStatus] = status, a.Status
	return u, nil
}

// userOfOrg converts a user whom the application does not have. Their profile is the org's.
func (c *Connector) userOfOrg(o *sdk.User) (connectors.User, error) {
	if !validID(o.Id) {
		return connectors.User{}, noID()
	}
	u := connectors.User{ObjectID: o.Id, Attributes: map[string]string{}}
	if o.Profile != nil {
		u.Attributes = profileOf(map[string]any(*o.Profile))
	}
	u.Enabled, u.Keep = c.effective(o.Status, appUserActive)
	u.Attributes[attrUserName], u.Attributes[attrUserStatus] = u.Attributes["login"], o.Status
	return u, nil
}

const (
	statusSuspended     = "SUSPENDED"
	statusDeprovisioned = "DEPROVISIONED"
	appUserActive       = "ACTIVE"
)

type standing int

const (
	on        standing = iota
	unknown            // a status that this version doesn't know
	suspended          // off, or left alone
	off
)

// effective says from the status of the org's user and that of the application's user whether the person is enabled, and
// whether what they are here is to be kept. The graver of the two counts:
//
//	                    AppUser on   AppUser unknown   AppUser suspended   AppUser off
//	user on             on           keep              off or keep         off
//	user unknown        keep         keep              off or keep         off
//	user suspended      off or keep  off or keep       off or keep         off
//	user off            off          off               off                 off
//
// A password that expired, an account that is locked or in recovery, are states of a credential: they switch nobody off.
func (c *Connector) effective(user, appUser string) (enabled, keep bool) {
	switch max(userStanding(user), appUserStanding(appUser)) {
	case on:
		return true, false
	case suspended:
		return false, c.cfg.Suspended == SuspendedKeep
	case off:
		return false, false
	default:
		return false, true
	}
}

// userStanding reads a user's status (Okta documentation, "User status").
func userStanding(status string) standing {
	switch status {
	case "ACTIVE", "PASSWORD_EXPIRED", "LOCKED_OUT", "RECOVERY", "PROVISIONED":
		return on
	case statusSuspended:
		return suspended
	case "STAGED", statusDeprovisioned:
		return off
	default:
		return unknown
	}
}

// appUserStanding reads an application user's status (Okta documentation, "Application users").
func appUserStanding(status string) standing {
	switch status {
	case appUserActive, "APPROVED", "IMPLICIT", "IMPORTED", "MATCHED", "PENDING", "PROVISIONED", "STAGED":
		return on
	case statusSuspended:
		return suspended
	case statusDeprovisioned, "INACTIVE", "REVOKED", "UNASSIGNED":
		return off
	default:
		return unknown
	}
}

// whyOf says why a person is in scope. Taking a group away from somebody assigned directly does not unassign them.
func whyOf(scope string) string {
	switch scope {
	case "USER":
		return "assigned directly"
	case "GROUP":
		return "assigned through a group"
	default:
		return "assigned"
	}
}

// embeddedStatus returns the status of the org's user, which expand=user puts beside the application's.
func embeddedStatus(a *sdk.AppUser) (string, bool) {
	embedded, _ := a.Embedded.(map[string]any)
	user, _ := embedded["user"].(map[string]any)
	status, _ := user["status"].(string)
	return status, status != ""
}

// profileOf returns a profile's values that can be text; what is an object, or a list of anything but texts, is left out.
// Applications name a person's names as Okta does or as SCIM does: both are found under Okta's.
func profileOf(profile any) map[string]string {
	values, _ := profile.(map[string]any)
	out := make(map[string]string, len(values)+4)
	for name, v := range values {
		if s, ok := textOf(v); ok {
			out[name] = s
		}
	}
	for okta, scim := range map[string]string{"firstName": "givenName", "lastName": "familyName"} {
		if out[okta] == "" && out[scim] != "" {
			out[okta] = out[scim]
		}
	}
	return out
}

func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case json.Number:
		return v.String(), true
	case []any:
		texts := make([]string, 0, len(v))
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return "", false
			}
			texts = append(texts, s)
		}
		return strings.Join(texts, ","), len(texts) > 0
	default:
		return "", false
	}
}

// groupOf converts a group.
func groupOf(g *sdk.Group) (connectors.Group, error) {
	if !validID(g.Id) {
		return connectors.Group{}, noID()
	}
	attributes := map[string]string{}
	if g.Profile != nil {
		attributes["name"] = g.Profile.Name
		if g.Profile.Description != "" {
			attributes["description"] = g.Profile.Description
		}
	}
	return connectors.Group{ObjectID: g.Id, Attributes: attributes}, nil
}

func noID() error {
	return &connectors.Error{Fault: connectors.Broken, Message: "Okta gave an object without id"}
}
