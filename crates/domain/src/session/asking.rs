//! What an agent asks and waits for: leave to do something, or an answer to a question. Both are open until a policy, a
//! person, the deadline or a stop answers; then the agent is told once.

use super::decide::Draft;
use super::refusal::Refusal;
use super::state::TurnState;
use super::view::{OpenPermission, OpenQuestion};
use super::{MAX_REQUESTS_PER_TURN, Session};
use crate::agent::AgentInput;
use crate::event::Event;
use crate::permission::{self, Answer, AnsweredBy, PermissionOption, Policy};
use crate::question::{Misfit, Question, QuestionAnswered, QuestionAsked, Reply};
use crate::transcript::ToolCall;
use crate::{Timestamp, TurnNumber};
use serde_json::Value;

/// Characters of a question that a phase says.
const PHASE_CHARS: usize = 200;
/// Why a question is not put to anybody where the policy asks nobody.
const NOBODY: &str = "nobody is asked in this session";

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Open {
    Permission(OpenPermission),
    Question(OpenQuestion),
}

impl Open {
    pub(super) fn permission(
        request: &Value,
        call: &ToolCall,
        options: &[PermissionOption],
        deadline: Timestamp,
    ) -> Self {
        let title = call.title.clone().or_else(|| call.name.clone());
        Self::Permission(OpenPermission {
            request: request.clone(),
            title: title.unwrap_or_else(|| "use a tool".into()),
            options: options.to_vec(),
            deadline,
        })
    }

    pub(super) fn question(asked: &QuestionAsked) -> Self {
        Self::Question(OpenQuestion {
            request: asked.request.clone(),
            question: (*asked.question).clone(),
            deadline: asked.deadline,
        })
    }

    pub(super) fn is_permission(&self, request: &Value) -> bool {
        matches!(self, Self::Permission(open) if open.request == *request)
    }

    pub(super) fn is_question(&self, request: &Value) -> bool {
        matches!(self, Self::Question(open) if open.request == *request)
    }

    pub(super) fn deadline(&self) -> Timestamp {
        match self {
            Self::Permission(open) => open.deadline,
            Self::Question(open) => open.deadline,
        }
    }

    /// Nobody is held to account for the time in which everything stood still.
    pub(super) fn put_off(&mut self, ms: u64) {
        let deadline = match self {
            Self::Permission(open) => &mut open.deadline,
            Self::Question(open) => &mut open.deadline,
        };
        *deadline = deadline.plus_ms(ms);
    }

    /// For the phase.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Permission(open) => format!("the agent asks leave to {}", open.title),
            Self::Question(open) => {
                let line = open.question.message.split_whitespace().collect::<Vec<_>>().join(" ");
                match line.char_indices().nth(PHASE_CHARS) {
                    Some((end, _)) => format!("the agent asks: {}…", &line[..end]),
                    None => format!("the agent asks: {line}"),
                }
            }
        }
    }
}

impl Session {
    pub(super) fn opened(&mut self, open: Open, at: Timestamp) {
        if let Some(turn) = &mut self.turn {
            turn.requests += 1;
            turn.last_word_at = at;
            turn.open.push(open);
        }
    }

    /// One of them: an agent that gives two the same id gets two answers.
    pub(super) fn closed(&mut self, at: Timestamp, is_it: impl Fn(&Open) -> bool) {
        if let Some(turn) = &mut self.turn {
            turn.last_word_at = at;
            if let Some(place) = turn.open.iter().position(is_it) {
                turn.open.remove(place);
            }
        }
    }

    fn open(&self) -> impl Iterator<Item = &Open> {
        self.turn.iter().flat_map(|turn| &turn.open)
    }

    fn open_permissions(&self) -> impl Iterator<Item = &OpenPermission> {
        self.open().filter_map(|open| match open {
            Open::Permission(open) => Some(open),
            Open::Question(_) => None,
        })
    }

    fn open_questions(&self) -> impl Iterator<Item = &OpenQuestion> {
        self.open().filter_map(|open| match open {
            Open::Question(open) => Some(open),
            Open::Permission(_) => None,
        })
    }

    pub(super) fn open_permission(&self) -> Option<&OpenPermission> {
        self.open_permissions().next()
    }

    pub(super) fn open_question(&self) -> Option<&OpenQuestion> {
        self.open_questions().next()
    }
}

/// The turn that asks.
struct Asking {
    turn: TurnNumber,
    /// It is not with the agent any more, so that nobody is asked.
    stopping: bool,
    deadline: Timestamp,
}

impl Draft {
    pub(super) fn permission_asked(
        &mut self,
        request: Value,
        call: Box<ToolCall>,
        options: Vec<PermissionOption>,
    ) {
        if self.session.turn.is_none() {
            return self.tell(AgentInput::AnswerPermission { request, answer: Answer::Cancelled });
        }
        let Some(Asking { turn, stopping, deadline }) = self.asking() else { return };
        let at_once = permission::at_once(self.session.spec.permissions, &options);
        let asked = request.clone();
        self.record(Event::PermissionAsked { turn, request: asked, call, options, deadline });
        match at_once {
            _ if stopping => self.answer(request, Answer::Cancelled, AnsweredBy::Stop),
            Some(answer) => self.answer(request, answer, AnsweredBy::Policy),
            None => {}
        }
    }

    /// A question is put to a person or to nobody: a policy can allow, and it can refuse, but it knows no answers.
    pub(super) fn question_asked(&mut self, request: Value, question: Box<Question>, unfit: Option<String>) {
        if self.session.turn.is_none() {
            return self.tell(AgentInput::AnswerQuestion { request, reply: Reply::Cancelled });
        }
        let Some(Asking { turn, stopping, deadline }) = self.asking() else { return };
        let asked = request.clone();
        self.record(Event::QuestionAsked(QuestionAsked { turn, request: asked, question, deadline }));
        match (unfit, self.session.spec.permissions) {
            _ if stopping => self.reply(request, Reply::Cancelled, AnsweredBy::Stop, None),
            (Some(why), _) => self.reply(request, Reply::Declined, AnsweredBy::Policy, Some(why)),
            (None, Policy::Allow | Policy::Reject) => {
                self.reply(request, Reply::Cancelled, AnsweredBy::Policy, Some(NOBODY.into()));
            }
            (None, Policy::Ask) => {}
        }
    }

    /// `None` when it has asked too often, and is broken for it, or when there is no turn.
    fn asking(&mut self) -> Option<Asking> {
        let turn = self.session.turn.as_ref()?;
        if turn.requests >= MAX_REQUESTS_PER_TURN {
            self.too_many_requests();
            return None;
        }
        let deadline = self.now.plus_ms(self.session.spec.limits.permission_ms);
        Some(Asking { turn: turn.number, stopping: turn.state != TurnState::Sent, deadline })
    }

    fn answer(&mut self, request: Value, answer: Answer, by: AnsweredBy) {
        self.record(Event::PermissionAnswered { request: request.clone(), answer: answer.clone(), by });
        self.tell(AgentInput::AnswerPermission { request, answer });
    }

    fn reply(&mut self, request: Value, reply: Reply, by: AnsweredBy, why: Option<String>) {
        let answered = QuestionAnswered { request: request.clone(), reply: reply.clone(), by, why };
        self.record(Event::QuestionAnswered(answered));
        self.tell(AgentInput::AnswerQuestion { request, reply });
    }

    pub(super) fn answer_by_person(
        &mut self,
        request: Value,
        option: Option<String>,
        by: String,
    ) -> Result<(), Refusal> {
        let open = self.session.open_permissions().find(|open| open.request == request);
        let open = open.ok_or(Refusal::PermissionNotOpen)?;
        let answer = match option {
            None => Answer::Cancelled,
            Some(option) if open.options.iter().any(|offered| offered.id == option) => {
                Answer::Selected { option }
            }
            Some(option) => return Err(Refusal::OptionNotOffered { option }),
        };
        self.answer(request, answer, AnsweredBy::Person { name: by });
        Ok(())
    }

    pub(super) fn reply_by_person(
        &mut self,
        request: Value,
        reply: Reply,
        by: String,
    ) -> Result<(), Refusal> {
        let open = self.session.open_questions().find(|open| open.request == request);
        let open = open.ok_or(Refusal::QuestionNotOpen)?;
        if let Reply::Accepted { content } = &reply {
            let fits = open.question.fits(content);
            fits.map_err(|Misfit { field, why }| Refusal::AnswerDoesNotFit { field, why })?;
        }
        self.reply(request, reply, AnsweredBy::Person { name: by }, None);
        Ok(())
    }

    /// An agent that is stopped must not wait for a person.
    pub(super) fn answer_for_stop(&mut self) {
        let open: Vec<Open> = self.session.open().cloned().collect();
        for open in open {
            match open {
                Open::Permission(open) => self.answer(open.request, Answer::Cancelled, AnsweredBy::Stop),
                Open::Question(open) => self.reply(open.request, Reply::Cancelled, AnsweredBy::Stop, None),
            }
        }
    }

    pub(super) fn answer_deadlines(&mut self) {
        let due: Vec<Open> =
            self.session.open().filter(|open| self.now >= open.deadline()).cloned().collect();
        for open in due {
            match open {
                Open::Permission(open) => {
                    self.answer(open.request, permission::reject(&open.options), AnsweredBy::Deadline);
                }
                Open::Question(open) => {
                    self.reply(open.request, Reply::Cancelled, AnsweredBy::Deadline, None);
                }
            }
        }
    }
}
