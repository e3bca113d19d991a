#include "rules/vocabulary.h"

const char *const channel_names[CHANNELS] = {
	[CHANNEL_EMAIL] = "email",
	[CHANNEL_CHAT] = "chat",
	[CHANNEL_CALENDAR] = "calendar",
	[CHANNEL_PRINT] = "print",
};
const char *const frame_names[FRAMES] = {
	[FRAME_NONE] = "",
	[FRAME_GAIN] = "gain",
	[FRAME_LOSS] = "loss",
};
const char *const function_names[BCW_FUNCTIONS] = {
	[BCW_EDUCATE] = "educate",
	[BCW_PERSUADE] = "persuade",
	[BCW_REWARD] = "reward",
	[BCW_COERCE] = "coerce",
	[BCW_TRAIN] = "train",
	[BCW_RESTRICT] = "restrict",
	[BCW_ENVIRONMENT] = "environment",
	[BCW_MODEL] = "model",
	[BCW_ENABLE] = "enable",
};
const char *const vary_names[VARY_AXES] = {
	[VARY_MESSAGE] = "message",
	[VARY_ANGLE] = "angle",
	[VARY_CHANNEL] = "channel",
	[VARY_MESSENGER] = "messenger",
};
const char *const unit_names[UNITS] = {
	[UNIT_MINUTE] = "minute",
	[UNIT_HOUR] = "hour",
	[UNIT_DAY] = "day",
	[UNIT_WEEK] = "week",
	[UNIT_MONTH] = "month",
	[UNIT_YEAR] = "year",
};
const char *const stage_names[5] = {
	"precontemplation",
	"contemplation",
	"preparation",
	"action",
	"maintenance",
};
const char *const standing_answers[STANDING_ANSWERS] = {
	[ANSWER_DONE] = "done",
	[ANSWER_LATER] = "later",
	[ANSWER_NOT_FOR_ME] = "not-for-me",
	[ANSWER_STOP] = "stop",
	[ANSWER_PLAN] = "plan",
	[ANSWER_TALK] = "talk",
};
const char *const weekday_names[7] = {
	"monday",
	"tuesday",
	"wednesday",
	"thursday",
	"friday",
	"saturday",
	"sunday",
};
