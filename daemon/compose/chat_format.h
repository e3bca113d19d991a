/*
 * chat_format.h - the chat systems, one row each: what a text may be and how it is sent.
 *
 * A table and not nine writers: compose/ reads the limits and the markup, deliver/webhook.c how it
 * is posted and what an answer means.  Figures are from the systems' own documents (doc/chat.md
 * names each).
 */
#ifndef NUDGED_COMPOSE_CHAT_FORMAT_H
#define NUDGED_COMPOSE_CHAT_FORMAT_H

enum chat_format { CHAT_SLACK, CHAT_MATTERMOST, CHAT_ROCKETCHAT, CHAT_TEAMS, CHAT_DISCORD,
	CHAT_GOOGLE, CHAT_MATRIX, CHAT_ZULIP, CHAT_NTFY, CHAT_GENERIC, CHAT_FORMATS };
extern const char *const chat_format_names[CHAT_FORMATS];
#endif
