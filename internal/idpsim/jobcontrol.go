package idpsim

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// knowsJob reports whether a request is for the tenant's one job.
func (t *Tenant) knowsJob(r *request) bool {
	return r.params[0] == t.cfg.ServicePrincipalID && strings.EqualFold(r.params[1], t.jobID)
}

func noJob() reply {
	return fail(http.StatusNotFound, "Request_ResourceNotFound", "The synchronization job was not found.")
}

// restartJob answers the page "Restart synchronizationJob". An empty resetScope is what the portal's button does (page
// "synchronizationJobRestartCriteria resource type").
func (t *Tenant) restartJob(_ *directory, r *request) reply {
	if !t.knowsJob(r) {
		return noJob()
	}
	var in struct {
		Criteria struct {
			ResetScope string `json:"resetScope"`
		} `json:"criteria"`
	}
	if err := json.Unmarshal(r.body, &in); err != nil {
		return fail(http.StatusBadRequest, "BadRequest", "Unable to read JSON request payload.")
	}
	known := []string{"None", "ConnectorDataStore", "Escrows", "Watermark", "QuarantineState", "Full", "ForceDeletes"}
	var flags []string
	for flag := range strings.SplitSeq(in.Criteria.ResetScope, ",") {
		if flag = strings.TrimSpace(flag); flag != "" && !slices.Contains(known, flag) {
			return fail(http.StatusBadRequest, "BadRequest", "Invalid value '"+flag+"' for resetScope.")
		}
		flags = append(flags, flag)
	}
	all := in.Criteria.ResetScope == ""
	t.state.Lock()
	defer t.state.Unlock()
	t.restarts = append(t.restarts, in.Criteria.ResetScope)
	t.job.paused = false
	if all || slices.Contains(flags, "QuarantineState") || slices.Contains(flags, "Full") {
		t.job.quarantine, t.job.message = "", ""
		t.restarted = true
	}
	return reply{status: http.StatusNoContent}
}

// Restarts returns the resetScope of each restart that Graph was asked for.
func (t *Tenant) Restarts() []string {
	t.state.Lock()
	defer t.state.Unlock()
	return slices.Clone(t.restarts)
}

// takeRestart reports, once, that Graph was asked to restart the job.
func (t *Tenant) takeRestart() bool {
	t.state.Lock()
	defer t.state.Unlock()
	asked := t.restarted
	t.restarted = false
	return asked
}

// targetTime is how long the service waits for the target's answer.
const targetTime = 10 * time.Second

// validateCredentials answers the page "synchronizationJob: validateCredentials" for those that are saved.
func (t *Tenant) validateCredentials(_ *directory, r *request) reply {
	if !t.knowsJob(r) {
		return noJob()
	}
	t.state.Lock()
	test := t.testTarget
	t.state.Unlock()
	if test == nil {
		return fail(http.StatusBadRequest, "CredentialsMissing", "No credentials are saved.")
	}
	ctx, done := context.WithTimeout(context.Background(), targetTime)
	defer done()
	if err := test(ctx); err != nil {
		return fail(http.StatusBadRequest, "InvalidCredentials", "The credentials could not be validated: "+err.Error())
	}
	return reply{status: http.StatusNoContent}
}

// ProvisionOnDemand sends one person now, whatever state the job is in.
func (p *Pusher) ProvisionOnDemand(ctx context.Context, objectID string) (Detail, error) {
	p.running.Lock()
	defer p.running.Unlock()
	t := &tally{began: p.t.cfg.Now(), sum: Summary{CycleID: p.t.nextRequestID()}}
	err := p.pushUser(ctx, objectID, true, t)
	if len(t.sum.Details) == 0 {
		return Detail{ObjectID: objectID, Type: "User", Outcome: Skipped, Reason: "NotEffectivelyEntitled"}, err
	}
	return t.sum.Details[len(t.sum.Details)-1], err
}

// provisionOnDemand answers the page "synchronizationJob: provisionOnDemand": both members of the answer are JSON inside
// a string.
func (t *Tenant) provisionOnDemand(_ *directory, r *request) reply {
	if !t.knowsJob(r) {
		return noJob()
	}
	var in struct {
		Parameters []struct {
			RuleID   string `json:"ruleId"`
			Subjects []struct {
				ObjectID string `json:"objectId"`
				Type     string `json:"objectTypeName"`
			} `json:"subjects"`
		} `json:"parameters"`
	}
	err := json.Unmarshal(r.body, &in)
	if err != nil || len(in.Parameters) != 1 || len(in.Parameters[0].Subjects) != 1 || in.Parameters[0].RuleID != t.RuleID() ||
		!strings.EqualFold(in.Parameters[0].Subjects[0].Type, "User") {
		return fail(http.StatusBadRequest, "BadRequest", "The rule or the subject is not valid.")
	}
	subject := in.Parameters[0].Subjects[0].ObjectID
	user, known := t.User(subject)
	t.state.Lock()
	provision := t.provision
	t.state.Unlock()
	if !known || provision == nil {
		return fail(http.StatusBadRequest, "BadRequest", "The subject '"+subject+"' can't be provisioned.")
	}
	ctx, done := context.WithTimeout(context.Background(), targetTime)
	defer done()
	d, err := provision(ctx, subject)
	result, details := "Success", object{}
	action := map[Outcome]string{Created: "Create", Updated: "Update", Disabled: "Disable", Deleted: "Delete"}[d.Outcome]
	if action == "" {
		action = "Other"
	}
	switch {
	case err != nil:
		result, details = "Failure", object{"errorCode": "SystemForCrossDomainIdentityManagement", "errorMessage": err.Error()}
	case d.Outcome == Skipped:
		result, details = "Skipped", object{"errorCode": d.Reason, "errorMessage": skipText(d.Reason, "User", user.UserPrincipalName)}
	}
	key, err := json.Marshal(object{"result": result, "details": details})
	if err != nil {
		return fail(http.StatusInternalServerError, "InternalServerError", err.Error())
	}
	value, err := json.Marshal(object{"action": action, "reportableIdentifier": user.UserPrincipalName, "provisioningSteps": []object{}})
	if err != nil {
		return fail(http.StatusInternalServerError, "InternalServerError", err.Error())
	}
	return reply{status: http.StatusOK, body: object{
		"@odata.context": r.base + "/$metadata#microsoft.graph.stringKeyStringValuePair", "key": string(key), "value": string(value),
	}}
}
