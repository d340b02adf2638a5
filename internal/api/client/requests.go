package client

// NewOrganisation is the body of POST /orgs.
type NewOrganisation struct {
	Name string `json:"name"`
}

// SCIMSwitch is the body of PUT /orgs/{org}/scim.
type SCIMSwitch struct {
	Enabled bool `json:"enabled"`
}

// NewToken is the body of POST /orgs/{org}/tokens.
type NewToken struct {
	Name       string   `json:"name"`
	Expires    string   `json:"expires" doc:"a number and m, h, d or w, such as 90d; or never"`
	Connection string   `json:"connection,omitempty" doc:"the connection to bind it to; empty: the organisation's only one, or none"`
	From       []string `json:"from,omitempty" doc:"addresses, or ranges of them such as 10.0.0.0/8; empty: any"`
	Rate       int      `json:"rate,omitempty" doc:"requests a second, 25 or more; 0: any number"`
}

// TokenLimits is the body of POST /orgs/{org}/tokens/{token}/limit. What is left out stays as it is.
type TokenLimits struct {
	From []string `json:"from,omitzero" doc:"addresses, or ranges of them such as 10.0.0.0/8; an empty list: any"`
	Rate *int     `json:"rate,omitempty" doc:"requests a second, 25 or more; 0: any number"`
}

// CheckToken is the body of POST /orgs/{org}/tokens/check.
type CheckToken struct {
	Token string `json:"token"`
}

// NewAPIKey is the body of POST /orgs/{org}/apikeys.
type NewAPIKey struct {
	Name    string `json:"name"`
	Role    string `json:"role" enum:"owner,admin,viewer"`
	Expires string `json:"expires" doc:"a number and h, d or w, such as 90d; or never"`
}

// NewMember is the body of POST /orgs/{org}/members: an invitation.
type NewMember struct {
	Email string `json:"email"`
	Role  string `json:"role,omitempty" enum:"owner,admin,viewer,member"`
}

// Adopt is the body of POST /orgs/{org}/members/adopt: one member by key, or all that match.
type Adopt struct {
	Key         string `json:"key,omitempty"`
	AllMatching bool   `json:"all_matching,omitempty"`
	Connection  string `json:"connection"`
}

// Adopted is the answer: who was adopted, and who was not and why.
type Adopted struct {
	Adopted []Member  `json:"adopted"`
	Refused []Refusal `json:"refused"`
}

// Refusal says why one member was not adopted.
type Refusal struct {
	Member string `json:"member"`
	Reason string `json:"reason"`
}

// LinkMember is the body of POST /orgs/{org}/members/link.
type LinkMember struct {
	Key        string `json:"key"`
	Connection string `json:"connection"`
	ObjectID   string `json:"object_id,omitempty" doc:"the IdP's id; empty: looked up by the match keys"`
}

// RenameConnection is the body of POST /orgs/{org}/connections/rename.
type RenameConnection struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// AskDiff is the body of POST /orgs/{org}/diff.
type AskDiff struct {
	Connection string `json:"connection,omitempty"`
	User       string `json:"user,omitempty" doc:"only this person: our id, a userName, email, externalId or the IdP's id; the answer is finished"`
}

// AskResync is the body of POST /orgs/{org}/resync.
type AskResync struct {
	Connection string `json:"connection,omitempty" doc:"empty: each connection of the organisation"`
	User       string `json:"user,omitempty" doc:"only this person: our id, a userName, email, externalId or the IdP's id; the answer is finished"`
	Full       bool   `json:"full,omitempty"`
}

// Approve is the body of POST /runs/{id}/approve.
type Approve struct {
	Only []string `json:"only,omitempty" doc:"drift kinds; empty: the whole held plan"`
}

// Version is the answer of GET /version.
type Version struct {
	Version string `json:"version"`
}
