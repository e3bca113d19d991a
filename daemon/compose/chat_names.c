/* The words for the chat systems. */
#include "compose/chat_format.h"

const char *const chat_format_names[CHAT_FORMATS] = { "slack", "mattermost", "rocketchat", "teams",
	"discord", "googlechat", "matrix", "zulip", "ntfy", "generic" };
