package run

import "time"

// Condition is one thing that is to become true of a service or a revision.
type Condition struct {
	Type    string
	State   State
	Reason  Reason // why it is not True
	Message string // for people
	Time    time.Time
}

// State is whether a condition holds.
type State string

// The states of a condition, in Knative's words.
const (
	Unknown State = "Unknown" // it is being worked on
	True    State = "True"
	False   State = "False"
)

// The types of conditions. A service has the first three, a revision the first
// and the last three.
const (
	ConditionReady         = "Ready"
	ConditionConfiguration = "ConfigurationsReady"
	ConditionRoutes        = "RoutesReady"

	ConditionContainer = "ContainerReady"
	ConditionHealthy   = "ContainerHealthy"
	ConditionResources = "ResourcesAvailable"
	ConditionActive    = "Active"
)

// Reason is why a condition does not hold: a CommonReason or RevisionReason of
// google.cloud.run.v2.Condition.
type Reason string

// The reasons that are given here.
const (
	ReasonRevisionFailed   Reason = "REVISION_FAILED"
	ReasonContainerMissing Reason = "CONTAINER_MISSING"
	ReasonUnauthorized     Reason = "CONTAINER_IMAGE_UNAUTHORIZED"
	ReasonHealthCheck      Reason = "HEALTH_CHECK_CONTAINER_ERROR"
	ReasonDeadline         Reason = "PROGRESS_DEADLINE_EXCEEDED"
	ReasonInternal         Reason = "INTERNAL"
	ReasonWaiting          Reason = "WAITING_FOR_OPERATION"
	ReasonRetired          Reason = "RETIRED"
)

// stateOf is the state of what has the conditions.
func stateOf(conditions []Condition) State {
	for _, c := range conditions {
		if c.Type == ConditionReady {
			return c.State
		}
	}
	return Unknown
}
