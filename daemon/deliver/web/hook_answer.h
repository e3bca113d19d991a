/*
 * hook_answer.h - what a chat system's answer means for one delivery.
 *
 * Its status first, for it says what the server did even when the rest of the answer never came;
 * then, where a format has them, the member that says it went well and the name of the error.
 */
#ifndef NUDGED_DELIVER_HOOK_ANSWER_H
#define NUDGED_DELIVER_HOOK_ANSWER_H
#include "compose/chat_format.h"
#include "deliver/verdict.h"
#include "deliver/net/http.h"

/*
 * answer has a status.  target is where the request went: words of the server that repeat what may
 * be the secret part of it are not kept.
 */
void hook_answer_judge(const struct http *answer, enum chat_format format, const char *target,
    struct instant now, struct outcome *ret);
#endif
