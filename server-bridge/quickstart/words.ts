/** What `npm start` says, in English and Russian; the language is the terminal's. */

export type Language = 'en' | 'ru';

/** From the usual variables, as every other program of the terminal does it. */
export function languageOf(environment: NodeJS.ProcessEnv): Language {
  const locale = environment.LC_ALL || environment.LC_MESSAGES || environment.LANG || '';
  return locale.toLowerCase().startsWith('ru') ? 'ru' : 'en';
}

const english = {
  about:
    'run the whole of Hearth on this machine: the bridge, with a model of its own, and a check that it answers',
  portOption: 'port of the API on 127.0.0.1',
  starting: 'Hearth: starting the bridge and its model',
  notice: (text: string) => `! ${text}`,
  listening: (url: string) => `The bridge answers at ${url} (OpenAI-compatible: ${url}/v1)`,
  checking: 'Self-check',
  completion: 'completion',
  chat: 'chat',
  answered: (by: string, first: number, total: number) =>
    `by ${by}, first token ${first} ms, all of it ${total} ms`,
  empty: 'answered with nothing',
  failed: (why: string) => `FAILED: ${why}`,
  sinceStart: (seconds: string) => `First token ${seconds} s after the start.`,
  packaging: 'Making the VS Code extension',
  next: 'Next',
  installed: 'The extension is installed in VS Code: open a .ts file and type.',
  installByHand: (file: string) => `Install the extension into VS Code:  code --install-extension ${file}`,
  notPackaged: (why: string) => `The extension could not be made: ${why}`,
  web: 'No VS Code here? In a second terminal:  npm run start:web',
  stop: 'Ctrl-C stops everything.',
  stopping: 'Stopping.',
  portInUse: (port: number) => `Port ${port} is in use. Another one:  npm start -- --port ${port + 1}`,
  engineFailed: (why: string) => `The model did not start: ${why}`,
};

type Words = typeof english;

const russian: Words = {
  about: 'запустить весь Hearth на этой машине: мост со своей моделью и проверка, что она отвечает',
  portOption: 'порт API на 127.0.0.1',
  starting: 'Hearth: запускаю мост и его модель',
  notice: (text) => `! ${text}`,
  listening: (url) => `Мост отвечает по адресу ${url} (совместим с OpenAI: ${url}/v1)`,
  checking: 'Самопроверка',
  completion: 'дополнение',
  chat: 'чат',
  answered: (by, first, total) => `ответил ${by}, первый токен ${first} мс, всё вместе ${total} мс`,
  empty: 'ответ пуст',
  failed: (why) => `НЕ ВЫШЛО: ${why}`,
  sinceStart: (seconds) => `Первый токен через ${seconds} с после запуска.`,
  packaging: 'Собираю расширение для VS Code',
  next: 'Дальше',
  installed: 'Расширение установлено в VS Code: откройте файл .ts и печатайте.',
  installByHand: (file) => `Установите расширение в VS Code:  code --install-extension ${file}`,
  notPackaged: (why) => `Расширение собрать не удалось: ${why}`,
  web: 'Нет VS Code? Во втором терминале:  npm run start:web',
  stop: 'Ctrl-C остановит всё.',
  stopping: 'Останавливаю.',
  portInUse: (port) => `Порт ${port} занят. Другой:  npm start -- --port ${port + 1}`,
  engineFailed: (why) => `Модель не запустилась: ${why}`,
};

export const WORDS: Record<Language, Words> = { en: english, ru: russian };
