package idpsim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxLog is how many provisioning entries are kept.
const maxLog = 20_000

// ProvisioningEntry is one entry of the provisioning log, in short; Graph gets it as a provisioningObjectSummary.
type ProvisioningEntry struct {
	ID         string // made when empty
	Time       time.Time
	Action     string // create, update, disable, delete, other
	Status     string // success, failure, skipped, warning
	ObjectID   string // of the source
	Type       string // User or Group
	Name       string // userPrincipalName or displayName
	TargetID   string
	SkipReason string // e.g. RedundantSoftDelete, in the step EntrySynchronizationSkip
	ErrorCode  string
	Reason     string
	CycleID    string
}

// AddProvisioningLog adds an entry to the provisioning log.
func (t *Tenant) AddProvisioningLog(e ProvisioningEntry) {
	t.state.Lock()
	defer t.state.Unlock()
	if e.Time.IsZero() {
		e.Time = t.cfg.Now().UTC()
	}
	if e.ID == "" {
		t.reqs++
		e.ID = fmt.Sprintf("a0d17000-0000-4000-8000-%012x", t.reqs)
	}
	t.log = append(t.log, e)
	if len(t.log) > maxLog {
		t.log = slices.Clone(t.log[len(t.log)-maxLog/2:])
	}
}

// ProvisioningLog returns the entries of the provisioning log, oldest first.
func (t *Tenant) ProvisioningLog() []ProvisioningEntry {
	t.state.Lock()
	defer t.state.Unlock()
	return slices.Clone(t.log)
}

func summaryEntity() entity {
	all := []string{
		"id", "activityDateTime", "tenantId", "jobId", "cycleId", "changeId", "provisioningAction", "durationInMilliseconds",
		"provisioningStatusInfo", "provisioningSteps", "modifiedProperties", "servicePrincipal", "sourceSystem",
		"targetSystem", "initiatedBy", "sourceIdentity", "targetIdentity",
	}
	return entity{typ: "provisioningObjectSummary", all: all, standard: all}
}

// listProvisioning answers the page "List provisioningObjectSummary": newest first, filters on activityDateTime, jobId,
// changeId, sourceIdentity/id and the like.
func (t *Tenant) listProvisioning(_ *directory, r *request) reply {
	entries := t.ProvisioningLog()
	slices.SortStableFunc(entries, func(a, b ProvisioningEntry) int { return b.Time.Compare(a.Time) })
	if strings.HasPrefix(r.query.Get("$orderby"), "activityDateTime") && !strings.HasSuffix(r.query.Get("$orderby"), " desc") {
		slices.Reverse(entries)
	}
	byID := make(map[string]ProvisioningEntry, len(entries))
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		byID[e.ID] = e
		ids = append(ids, e.ID)
	}
	return r.page(list{
		entity: summaryEntity(), context: "auditLogs/provisioning", ids: ids, size: t.cfg.PageSize, unsorted: true,
		get: func(id string) object { return t.renderEntry(byID[id]) },
	})
}

// renderEntry follows the page "provisioningObjectSummary resource type" and entries that real tenants were seen to
// return: errorInformation is null unless the entry failed, and a skip names its reason in its last step.
func (t *Tenant) renderEntry(e ProvisioningEntry) object {
	info := object{"status": e.Status, "errorInformation": nil}
	if e.Status == "failure" {
		info["errorInformation"] = object{
			"errorCode": e.ErrorCode, "reason": e.Reason, "errorCategory": "nonServiceFailure", "additionalDetails": nil,
			"recommendedAction": nil,
		}
	}
	target := "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	if e.Type == "Group" {
		target = "urn:ietf:params:scim:schemas:core:2.0:Group"
	}
	return object{
		"id": e.ID, "activityDateTime": stamp(e.Time), "tenantId": t.cfg.TenantID, "jobId": t.jobID, "cycleId": e.CycleID,
		"changeId": e.ID, "provisioningAction": e.Action, "durationInMilliseconds": 630, "provisioningStatusInfo": info,
		"provisioningSteps": e.steps(), "modifiedProperties": []object{},
		"servicePrincipal": object{"id": t.cfg.ServicePrincipalID, "displayName": t.cfg.AppName},
		"sourceSystem":     object{"id": t.cfg.TenantID, "displayName": "Microsoft Entra ID", "details": object{}},
		"targetSystem": object{"id": t.appID, "displayName": "customappsso", "details": object{
			"ApplicationId": t.appID, "ServicePrincipalDisplayName": t.cfg.AppName, "ServicePrincipalId": t.cfg.ServicePrincipalID,
		}},
		"initiatedBy": object{"id": "", "displayName": "Azure AD Provisioning Service", "initiatorType": "system"},
		"sourceIdentity": object{
			"id": e.ObjectID, "displayName": e.Name, "identityType": e.Type,
			"details": object{"id": e.ObjectID, "odatatype": e.Type, "DisplayName": e.Name},
		},
		"targetIdentity": object{"id": e.TargetID, "displayName": "", "identityType": target, "details": object{}},
	}
}

func (e ProvisioningEntry) steps() []object {
	step := func(name, kind, status, description string, details object) object {
		return object{"name": name, "provisioningStepType": kind, "status": status, "description": description, "details": details}
	}
	steps := []object{
		step("EntryImportUpdate", "import", "success",
			fmt.Sprintf("Received %s '%s' change of type (Update) from Microsoft Entra ID", e.Type, e.Name), object{"objectId": e.ObjectID}),
		step("EntrySynchronizationScoping", "scoping", "success",
			fmt.Sprintf("Determine if %s in scope by evaluating against each scoping filter", e.Type), object{
				"Active in the source system": "True", "Assigned to the application": yes(e.Action != "disable" && e.Action != "delete"),
				e.Type + " has the required role": "True", "Scoping filter evaluation passed": "True", "ScopeEvaluationResult": "{}",
			}),
	}
	details := object{"ReportableIdentifier": e.Name}
	if e.Status == "skipped" {
		details["SkipReason"] = e.SkipReason
		return append(steps, step("EntrySynchronizationSkip", "export", "skipped", e.Reason, details))
	}
	verb, ok := map[string]string{"create": "Add", "delete": "Delete"}[e.Action]
	if !ok {
		verb = "Update"
	}
	return append(steps, step("EntryExport"+verb, "export", e.Status,
		fmt.Sprintf("%s '%s': %s in customappsso", e.Type, e.Name, e.Action), details))
}

func yes(b bool) string {
	if b {
		return "True"
	}
	return "False"
}
